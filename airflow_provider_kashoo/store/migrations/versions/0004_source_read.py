"""When the source of a link was last read: an earlier reading must not replace it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    with op.batch_alter_table("links") as links:
        links.add_column(sa.Column("source_read", sa.String(length=40), nullable=True))
