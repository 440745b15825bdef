"""When the source of an open write was last read: it is read again once the outcome is known."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    with op.batch_alter_table("operations") as operations:
        operations.add_column(sa.Column("seen_read", sa.String(length=40), nullable=True))
