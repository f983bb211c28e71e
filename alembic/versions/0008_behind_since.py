"""Since when a mirror lacks what VK did not let be done: a quiet delta after that is no sign of a fresh shop.

Stands by itself, like every revision. On MariaDB the column comes without a copy of the table.
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision: str = "0008"
down_revision: str | None = "0007"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

_TABLE = "mirrors"
_TIME = sa.DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")


def upgrade() -> None:
    op.add_column(_TABLE, sa.Column("behind_since", _TIME, nullable=True))


def downgrade() -> None:
    op.drop_column(_TABLE, "behind_since")
