"""When the source was read for what was written: an earlier reading must neither overwrite nor end it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    with op.batch_alter_table("links") as links:
        links.add_column(sa.Column("told_read", sa.String(length=40), nullable=True))
    with op.batch_alter_table("operations") as operations:
        operations.add_column(sa.Column("source_read", sa.String(length=40), nullable=True))
