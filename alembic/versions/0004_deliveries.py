"""What the Evotor cloud told us, and tokens of tills whose owner is not known yet.

Stands by itself, like every revision.
"""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision: str = "0004"
down_revision: str | None = "0003"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TIME = sa.DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")
LONG = sa.Text().with_variant(mysql.MEDIUMTEXT(), "mysql", "mariadb")
SEALED = sa.LargeBinary().with_variant(mysql.VARBINARY(2048), "mysql", "mariadb")

OPTIONS: dict[str, Any] = {
    f"{dialect}_{key}": value
    for dialect in ("mysql", "mariadb")
    for key, value in {"engine": "InnoDB", "charset": "utf8mb4", "collate": "utf8mb4_nopad_bin"}.items()
}


def upgrade() -> None:
    op.create_table(
        "deliveries",
        sa.Column("id", KEY, nullable=False),
        sa.Column("received_at", TIME, nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("till_user", sa.String(100), nullable=True),
        sa.Column("user_id", KEY, nullable=True),
        sa.Column("key", sa.String(64), nullable=True),
        sa.Column("facts", LONG, nullable=False),
        sa.Column("state", sa.String(12), nullable=False),
        sa.Column("code", sa.Integer(), nullable=True),
        sa.Column("done_at", TIME, nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_deliveries")),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_deliveries_user_id"), ondelete="CASCADE"),
        sa.UniqueConstraint("key", name=op.f("uq_deliveries_key")),
        **OPTIONS,
    )
    op.create_index(op.f("ix_deliveries_received_at"), "deliveries", ["received_at"])
    op.create_index("ix_deliveries_user_id_received_at", "deliveries", ["user_id", "received_at"])
    op.create_index("ix_deliveries_state_user_id", "deliveries", ["state", "user_id"])
    op.create_table(
        "pending_tokens",
        sa.Column("till_user", sa.String(100), nullable=False),
        sa.Column("sealed", SEALED, nullable=False),
        sa.Column("key_id", sa.String(16), nullable=False),
        sa.Column("fingerprint", sa.String(64), nullable=False),
        sa.Column("received_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("till_user", name=op.f("pk_pending_tokens")),
        **OPTIONS,
    )
    op.create_index(op.f("ix_pending_tokens_received_at"), "pending_tokens", ["received_at"])


def downgrade() -> None:
    op.drop_table("pending_tokens")
    op.drop_table("deliveries")
