"""Single-use links, letters to be sent, and who did what.

Stands by itself, like every revision.
"""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision: str = "0002"
down_revision: str | None = "0001"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TIME = sa.DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")
LONG = sa.Text().with_variant(mysql.MEDIUMTEXT(), "mysql", "mariadb")
HASH = sa.LargeBinary(32).with_variant(mysql.VARBINARY(32), "mysql", "mariadb")

OPTIONS: dict[str, Any] = {
    f"{dialect}_{key}": value
    for dialect in ("mysql", "mariadb")
    for key, value in {"engine": "InnoDB", "charset": "utf8mb4", "collate": "utf8mb4_nopad_bin"}.items()
}


def upgrade() -> None:
    op.create_table(
        "single_use_links",
        sa.Column("id", KEY, nullable=False),
        sa.Column("user_id", KEY, autoincrement=False, nullable=False),
        sa.Column("purpose", sa.String(16), nullable=False),
        sa.Column("nonce", HASH, nullable=False),
        sa.Column("hash", HASH, nullable=False),
        sa.Column("detail", sa.String(254), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("expires_at", TIME, nullable=False),
        sa.Column("used_at", TIME, nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_single_use_links")),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_single_use_links_user_id"), ondelete="CASCADE"
        ),
        sa.UniqueConstraint("hash", name=op.f("uq_single_use_links_hash")),
        **OPTIONS,
    )
    op.create_index(op.f("ix_single_use_links_expires_at"), "single_use_links", ["expires_at"])
    op.create_index("ix_single_use_links_user_id_purpose", "single_use_links", ["user_id", "purpose"])
    op.create_table(
        "letters",
        sa.Column("id", KEY, nullable=False),
        sa.Column("user_id", KEY, autoincrement=False, nullable=False),
        sa.Column("channel", sa.String(8), nullable=False),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("address", sa.String(254), nullable=False),
        sa.Column("language", sa.String(8), nullable=False),
        sa.Column("values", LONG, nullable=False),
        sa.Column("link_id", KEY, nullable=True),
        sa.Column("state", sa.String(8), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("error", sa.String(200), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("next_at", TIME, nullable=False),
        sa.Column("sent_at", TIME, nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_letters")),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_letters_user_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(
            ["link_id"], ["single_use_links.id"], name=op.f("fk_letters_link_id"), ondelete="CASCADE"
        ),
        **OPTIONS,
    )
    op.create_index(op.f("ix_letters_link_id"), "letters", ["link_id"])
    op.create_index("ix_letters_user_id_kind", "letters", ["user_id", "kind"])
    op.create_index("ix_letters_state_next_at", "letters", ["state", "next_at"])
    op.create_table(
        "audit",
        sa.Column("id", KEY, nullable=False),
        sa.Column("at", TIME, nullable=False),
        sa.Column("actor_id", KEY, nullable=True),
        sa.Column("user_id", KEY, nullable=True),
        sa.Column("action", sa.String(64), nullable=False),
        sa.Column("details", LONG, nullable=False),
        sa.Column("address", sa.String(45), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit")),
        sa.ForeignKeyConstraint(["actor_id"], ["users.id"], name=op.f("fk_audit_actor_id"), ondelete="SET NULL"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_audit_user_id"), ondelete="SET NULL"),
        **OPTIONS,
    )
    op.create_index(op.f("ix_audit_at"), "audit", ["at"])
    op.create_index("ix_audit_user_id_at", "audit", ["user_id", "at"])
    op.create_index("ix_audit_actor_id_at", "audit", ["actor_id", "at"])
    op.create_index("ix_audit_action_at", "audit", ["action", "at"])


def downgrade() -> None:
    op.drop_table("audit")
    op.drop_table("letters")
    op.drop_table("single_use_links")
