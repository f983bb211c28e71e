"""Credentials for both clouds, sealed."""

from sqlalchemy import BigInteger, Column, String

from evosync.db.tables.schema import owner, table
from evosync.db.types import UtcTime, Words, sealed_type

FINGERPRINT = 64


def _health() -> list[Column[object]]:
    return [
        Column("health", String(16), nullable=False),
        Column("reason", Words(200), nullable=False),
        Column("reason_at", UtcTime(), nullable=True),
        Column("connected_at", UtcTime(), nullable=True),
    ]


def _token(prefix: str) -> list[Column[object]]:
    return [
        Column(f"{prefix}sealed", sealed_type(), nullable=True),
        Column(f"{prefix}key_id", String(16), nullable=True, index=True),
        Column(f"{prefix}fingerprint", String(FINGERPRINT), nullable=True),
    ]


# `till_user` is Evotor's number of the account; `api_token` is ours, which the cloud shows with its webhooks.
# The token is null where a till is known but not (or no longer) connected.
evotor_connections = table(
    "evotor_connections",
    owner(),
    *_token(""),
    Column("last4", Words(4), nullable=False),
    Column("till_user", String(100), nullable=True, unique=True),
    *_health(),
    Column("api_sealed", sealed_type(), nullable=True),
    Column("api_key_id", String(16), nullable=True, index=True),
    Column("api_fingerprint", String(FINGERPRINT), nullable=True, unique=True),
)

vk_connections = table(
    "vk_connections",
    owner(),
    *_token(""),
    Column("last4", Words(4), nullable=False),
    Column("group_id", BigInteger(), nullable=False, unique=True),
    Column("community_name", Words(200), nullable=False),
    Column("vk_user_id", BigInteger(), nullable=True),
    Column("expires_at", UtcTime(), nullable=True, index=True),
    *_health(),
)
