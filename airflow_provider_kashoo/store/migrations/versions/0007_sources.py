"""From which values in Salesforce a record was made: only a change of these changes it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    for table in ("links", "operations"):
        with op.batch_alter_table(table) as changed:
            changed.add_column(sa.Column("sources", sa.JSON(), nullable=True))
