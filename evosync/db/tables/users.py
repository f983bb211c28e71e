"""People and what they may do."""

from sqlalchemy import Boolean, Column, ForeignKey, Index, String

from evosync.db.tables.schema import table
from evosync.db.types import BigId, Json, UtcTime, Words

# `email` is folded and `phone` in E.164, or they are null: an account of a till may have neither.
users = table(
    "users",
    Column("id", BigId, primary_key=True),
    Column("email", String(254), nullable=True, unique=True),
    Column("phone", String(20), nullable=True, index=True),
    Column("name", Words(200), nullable=False),
    Column("password_hash", String(100), nullable=True),
    Column("status", String(16), nullable=False),
    Column("language", String(8), nullable=False),
    Column("time_zone", String(64), nullable=False),
    Column("notices", Json(), nullable=False),
    Column("email_confirmed_at", UtcTime(), nullable=True),
    Column("consent_at", UtcTime(), nullable=True),
    Column("created_at", UtcTime(), nullable=False),
    Index("ix_users_status_created_at", "status", "created_at"),
)

roles = table(
    "roles",
    Column("id", BigId, primary_key=True),
    Column("name", String(32), nullable=False, unique=True),
    Column("built_in", Boolean(), nullable=False),
)

permissions = table(
    "permissions",
    Column("id", BigId, primary_key=True),
    Column("name", String(64), nullable=False, unique=True),
)

role_permissions = table(
    "role_permissions",
    Column("role_id", BigId, ForeignKey("roles.id", ondelete="CASCADE"), primary_key=True, autoincrement=False),
    Column(
        "permission_id",
        BigId,
        ForeignKey("permissions.id", ondelete="CASCADE"),
        primary_key=True,
        autoincrement=False,
        index=True,
    ),
)

user_roles = table(
    "user_roles",
    Column("user_id", BigId, ForeignKey("users.id", ondelete="CASCADE"), primary_key=True, autoincrement=False),
    Column("role_id", BigId, ForeignKey("roles.id"), primary_key=True, autoincrement=False, index=True),
)
