"""Names of products are searched and ordered with «ё» as «е»; what the till said already is told so too.

Stands by itself, like every revision. Touches only names with the letter.
"""

from collections.abc import Sequence

from alembic import op

revision: str = "0006"
down_revision: str | None = "0005"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.execute("UPDATE cached_products SET name_folded = REPLACE(name_folded, 'ё', 'е') WHERE name_folded LIKE '%ё%'")


def downgrade() -> None:
    """The version before finds such names by «е» alone until the till changes them; nothing else depends on it."""
