"""Names of products are searched and ordered with «ё» as «е»; what the till said already is told so too.

Stands by itself, like every revision. Touches only names with the letter, and one owner's at a time, so that nobody
waits long for a row while a large database is brought up to date.
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0006"
down_revision: str | None = "0005"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    connection = op.get_bind()
    change = sa.text(
        "UPDATE cached_products SET name_folded = REPLACE(name_folded, 'ё', 'е')"
        " WHERE user_id = :owner AND name_folded LIKE '%ё%'"
    )
    for owner in connection.execute(sa.text("SELECT id FROM users")).scalars().all():
        connection.execute(change, {"owner": owner})
        if connection.dialect.name != "sqlite":  # there all revisions are one transaction, which nobody may see half of
            connection.execute(sa.text("COMMIT"))


def downgrade() -> None:
    """The version before finds such names by «е» alone until the till changes them; nothing else depends on it."""
