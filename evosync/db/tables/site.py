"""What the website keeps: single-use links, letters to be sent, and who did what."""

from sqlalchemy import Column, ForeignKey, Index, Integer, LargeBinary, String
from sqlalchemy.dialects import mysql

from evosync.db.tables.schema import owner, table
from evosync.db.types import BigId, Json, UtcTime, Words

HASH = 32

_HASH_TYPE = LargeBinary(HASH).with_variant(mysql.VARBINARY(HASH), "mysql", "mariadb")

# The link itself is nowhere: it is derived from `nonce` with the service's key when the letter is sent, and `hash`
# finds it when it comes back. `detail` is the new address where the link is to confirm one.
links = table(
    "single_use_links",
    Column("id", BigId, primary_key=True),
    owner(primary_key=False),
    Column("purpose", String(16), nullable=False),
    Column("nonce", _HASH_TYPE, nullable=False),
    Column("hash", _HASH_TYPE, nullable=False, unique=True),
    Column("detail", Words(254), nullable=False),
    Column("created_at", UtcTime(), nullable=False),
    Column("expires_at", UtcTime(), nullable=False, index=True),
    Column("used_at", UtcTime(), nullable=True),
    Index("ix_single_use_links_user_id_purpose", "user_id", "purpose"),
)

# Written with the change that causes it. `values` hold no secret; a link is named by `link_id`.
letters = table(
    "letters",
    Column("id", BigId, primary_key=True),
    owner(primary_key=False),
    Column("channel", String(8), nullable=False),
    Column("kind", String(32), nullable=False),
    Column("address", Words(254), nullable=False),
    Column("language", String(8), nullable=False),
    Column("values", Json(), nullable=False),
    Column("link_id", BigId, ForeignKey("single_use_links.id", ondelete="CASCADE"), nullable=True, index=True),
    Column("state", String(8), nullable=False),
    Column("tries", Integer(), nullable=False),
    Column("error", Words(200), nullable=False),
    Column("created_at", UtcTime(), nullable=False),
    Column("next_at", UtcTime(), nullable=False),
    Column("sent_at", UtcTime(), nullable=True),
    Index("ix_letters_user_id_kind", "user_id", "kind"),
    Index("ix_letters_state_next_at", "state", "next_at"),
)

# Both people are null once their account is deleted; `details` never hold what a person is called or reached by.
audit = table(
    "audit",
    Column("id", BigId, primary_key=True),
    Column("at", UtcTime(), nullable=False, index=True),
    Column("actor_id", BigId, ForeignKey("users.id", ondelete="SET NULL"), nullable=True),
    Column("user_id", BigId, ForeignKey("users.id", ondelete="SET NULL"), nullable=True),
    Column("action", String(64), nullable=False),
    Column("details", Json(), nullable=False),
    Column("address", String(45), nullable=False),
    Index("ix_audit_user_id_at", "user_id", "at"),
    Index("ix_audit_actor_id_at", "actor_id", "at"),
    Index("ix_audit_action_at", "action", "at"),
)
