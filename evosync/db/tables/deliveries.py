"""What the Evotor cloud told us, and tokens of tills whose owner is not known yet."""

from sqlalchemy import Column, ForeignKey, Index, Integer, String

from evosync.db.tables.connections import FINGERPRINT
from evosync.db.tables.schema import table
from evosync.db.types import BigId, Json, UtcTime, sealed_type

TILL_USER = 100

# `facts` is what was understood, and enough to do it again; never a body, which may hold a password, a token or
# people's names. `key`: a digest of what makes the delivery the same as another one, null where nothing does.
deliveries = table(
    "deliveries",
    Column("id", BigId, primary_key=True),
    Column("received_at", UtcTime(), nullable=False, index=True),
    Column("kind", String(16), nullable=False),
    Column("till_user", String(TILL_USER), nullable=True),
    Column("user_id", BigId, ForeignKey("users.id", ondelete="CASCADE"), nullable=True),
    Column("key", String(64), nullable=True, unique=True),
    Column("facts", Json(), nullable=False),
    Column("state", String(12), nullable=False),
    Column("code", Integer(), nullable=True),
    Column("done_at", UtcTime(), nullable=True),
    Index("ix_deliveries_user_id_received_at", "user_id", "received_at"),
    Index("ix_deliveries_state_user_id", "state", "user_id"),
)

# One row per till, the last token wins; it goes over to the connection as soon as there is one.
pending_tokens = table(
    "pending_tokens",
    Column("till_user", String(TILL_USER), primary_key=True),
    Column("sealed", sealed_type(), nullable=False),
    Column("key_id", String(16), nullable=False),
    Column("fingerprint", String(FINGERPRINT), nullable=False),
    Column("received_at", UtcTime(), nullable=False, index=True),
)
