"""Runs that only looked: they are not an owner's last update, and no line of his list.

Stands by itself, like every revision. On MariaDB the column comes without a copy of the table, and the index is built
while others read and write.
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0007"
down_revision: str | None = "0006"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

_TABLE = "sync_runs"
_INDEX = "ix_sync_runs_user_started"


def upgrade() -> None:
    op.add_column(_TABLE, sa.Column("dry", sa.Boolean(), server_default=sa.false(), nullable=False))
    op.create_index("ix_sync_runs_user_dry_started", _TABLE, ["user_id", "dry", "started_at"])
    op.drop_index(_INDEX, _TABLE)


def downgrade() -> None:
    op.create_index(_INDEX, _TABLE, ["user_id", "started_at"])
    op.drop_index("ix_sync_runs_user_dry_started", _TABLE)
    op.drop_column(_TABLE, "dry")
