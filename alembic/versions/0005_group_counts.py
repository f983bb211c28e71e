"""Counting a shop's products by group and status: in the order of one index, not through a temporary table.

Stands by itself, like every revision. MariaDB builds and drops such indexes while others read and write.
"""

from collections.abc import Sequence

from alembic import op

revision: str = "0005"
down_revision: str | None = "0004"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

_TABLE = "cached_products"
_GROUP = "ix_cached_products_group"


def upgrade() -> None:
    op.drop_index(_GROUP, _TABLE)
    op.create_index(_GROUP, _TABLE, ["user_id", "store_id", "group_id", "status", "gone_at"])


def downgrade() -> None:
    op.drop_index(_GROUP, _TABLE)
    op.create_index(_GROUP, _TABLE, ["user_id", "store_id", "group_id", "name_folded"])
