"""When the books were read for what Salesforce was told last: what was read earlier must not be told after it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    with op.batch_alter_table("links") as links:
        links.add_column(sa.Column("told_read", sa.String(length=40), nullable=True))
