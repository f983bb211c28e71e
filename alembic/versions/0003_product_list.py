"""The pages of the catalogs: search and count a shop's products within one index, and find one by its code.

Stands by itself, like every revision.
"""

from collections.abc import Sequence

from alembic import op

revision: str = "0003"
down_revision: str | None = "0002"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

_TABLE = "cached_products"
_LIST = "ix_cached_products_list"
_CODE = "ix_cached_products_code"


def upgrade() -> None:
    op.drop_index(_LIST, _TABLE)
    wide = ["user_id", "store_id", "name_folded", "product_id", "status", "group_id", "gone_at"]
    op.create_index(_LIST, _TABLE, wide)
    op.create_index(_CODE, _TABLE, ["user_id", "store_id", "code"])


def downgrade() -> None:
    op.drop_index(_CODE, _TABLE)
    op.drop_index(_LIST, _TABLE)
    op.create_index(_LIST, _TABLE, ["user_id", "store_id", "name_folded"])
