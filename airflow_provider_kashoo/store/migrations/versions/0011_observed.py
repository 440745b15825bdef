"""What a run saw of both sides of a field: the next one can tell which side changed it since."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    with op.batch_alter_table("links") as changed:
        changed.add_column(sa.Column("observed", sa.JSON(), nullable=True))
