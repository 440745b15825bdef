"""An index to find the last link of a sale among the ended ones."""

from __future__ import annotations

from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.create_index("ix_links_sale_id", "links", ["scope_id", "sale_id"])
