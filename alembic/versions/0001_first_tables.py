"""Users, connections, choices, both catalogs, links, mirrors and runs.

Stands by itself: what the package calls these types or roles later does not change it.
"""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision: str = "0001"
down_revision: str | None = None
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TIME = sa.DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")
LONG = sa.Text().with_variant(mysql.MEDIUMTEXT(), "mysql", "mariadb")
DIGEST = sa.LargeBinary().with_variant(mysql.VARBINARY(16), "mysql", "mariadb")
SEALED = sa.LargeBinary().with_variant(mysql.VARBINARY(2048), "mysql", "mariadb")

OPTIONS: dict[str, Any] = {
    f"{dialect}_{key}": value
    for dialect in ("mysql", "mariadb")
    for key, value in {"engine": "InnoDB", "charset": "utf8mb4", "collate": "utf8mb4_nopad_bin"}.items()
}

PERMISSIONS = (
    "users.read",
    "users.edit",
    "users.suspend",
    "users.delete",
    "users.invite",
    "roles.edit",
    "queue.read",
    "queue.retry",
    "audit.read",
)
# What roles may do is the system user's business: with `roles.edit` an admin could undo the system user's rights.
ROLES = {
    "system": PERMISSIONS,
    "admin": tuple(name for name in PERMISSIONS if name != "roles.edit"),
    "user": (),
}


def upgrade() -> None:
    op.create_table(
        "permissions",
        sa.Column("id", KEY, nullable=False),
        sa.Column("name", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_permissions")),
        sa.UniqueConstraint("name", name=op.f("uq_permissions_name")),
        **OPTIONS,
    )
    op.create_table(
        "roles",
        sa.Column("id", KEY, nullable=False),
        sa.Column("name", sa.String(32), nullable=False),
        sa.Column("built_in", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_roles")),
        sa.UniqueConstraint("name", name=op.f("uq_roles_name")),
        **OPTIONS,
    )
    op.create_table(
        "users",
        sa.Column("id", KEY, nullable=False),
        sa.Column("email", sa.String(254), nullable=True),
        sa.Column("phone", sa.String(20), nullable=True),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("password_hash", sa.String(100), nullable=True),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("language", sa.String(8), nullable=False),
        sa.Column("time_zone", sa.String(64), nullable=False),
        sa.Column("notices", LONG, nullable=False),
        sa.Column("email_confirmed_at", TIME, nullable=True),
        sa.Column("consent_at", TIME, nullable=True),
        sa.Column("created_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_users")),
        sa.UniqueConstraint("email", name=op.f("uq_users_email")),
        **OPTIONS,
    )
    op.create_index(op.f("ix_users_phone"), "users", ["phone"])
    op.create_index(op.f("ix_users_status_created_at"), "users", ["status", "created_at"])
    op.create_table(
        "album_links",
        sa.Column("user_id", KEY, autoincrement=False, nullable=False),
        sa.Column("community_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("store_id", sa.String(100), nullable=False),
        sa.Column("group_id", sa.String(100), nullable=False),
        sa.Column("album_id", sa.BigInteger(), nullable=False),
        sa.Column("title", LONG, nullable=False),
        sa.Column("read_back", LONG, nullable=False),
        sa.Column("adopted", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("user_id", "community_id", "store_id", "group_id", name=op.f("pk_album_links")),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_album_links_user_id"), ondelete="CASCADE"),
        **OPTIONS,
    )
    op.create_table(
        "cached_groups",
        sa.Column("user_id", KEY, autoincrement=False, nullable=False),
        sa.Column("store_id", sa.String(100), nullable=False),
        sa.Column("group_id", sa.String(100), nullable=False),
        sa.Column("parent_id", sa.String(100), nullable=False),
        sa.Column("name", LONG, nullable=False),
        sa.Column("holds_modifications", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("user_id", "store_id", "group_id", name=op.f("pk_cached_groups")),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_cached_groups_user_id"), ondelete="CASCADE"),
        **OPTIONS,
    )
    op.create_table(
        "cached_products",
        sa.Column("user_id", KEY, autoincrement=False, nullable=False),
        sa.Column("store_id", sa.String(100), nullable=False),
        sa.Column("product_id", sa.String(100), nullable=False),
        sa.Column("group_id", sa.String(100), nullable=False),
        sa.Column("name", LONG, nullable=False),
        sa.Column("name_folded", sa.String(255), nullable=False),
        sa.Column("kopecks", sa.BigInteger(), nullable=True),
        sa.Column("quantity", sa.String(40), nullable=True),
        sa.Column("unit", sa.String(40), nullable=False),
        sa.Column("kind", sa.String(40), nullable=False),
        sa.Column("sellable", sa.Boolean(), nullable=False),
        sa.Column("description", LONG, nullable=False),
        sa.Column("code", sa.String(200), nullable=False),
        sa.Column("article", sa.String(200), nullable=False),
        sa.Column("updated_at", TIME, nullable=True),
        sa.Column("digest", DIGEST, nullable=False),
        sa.Column("seen_at", TIME, nullable=False),
        sa.Column("gone_at", TIME, nullable=True),
        sa.Column("vk_product_id", sa.BigInteger(), nullable=True),
        sa.Column("status", sa.String(32), nullable=True),
        sa.Column("status_values", LONG, nullable=True),
        sa.Column("status_digest", DIGEST, nullable=True),
        sa.Column("status_at", TIME, nullable=True),
        sa.Column("status_run_id", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("user_id", "store_id", "product_id", name=op.f("pk_cached_products")),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_cached_products_user_id"), ondelete="CASCADE"),
        **OPTIONS,
    )
    op.create_index(
        op.f("ix_cached_products_group"), "cached_products", ["user_id", "store_id", "group_id", "name_folded"]
    )
    op.create_index(op.f("ix_cached_products_list"), "cached_products", ["user_id", "store_id", "name_folded"])
    op.create_index(op.f("ix_cached_products_product"), "cached_products", ["user_id", "product_id"])
    op.create_index(op.f("ix_cached_products_status"), "cached_products", ["user_id", "status"])
    op.create_table(
        "cached_stores",
        sa.Column("user_id", KEY, autoincrement=False, nullable=False),
        sa.Column("store_id", sa.String(100), nullable=False),
        sa.Column("name", LONG, nullable=False),
        sa.Column("address", LONG, nullable=False),
        sa.Column("till_user", sa.String(100), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("user_id", "store_id", name=op.f("pk_cached_stores")),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_cached_stores_user_id"), ondelete="CASCADE"),
        **OPTIONS,
    )
    op.create_table(
        "evotor_connections",
        sa.Column("user_id", KEY, autoincrement=False, nullable=False),
        sa.Column("sealed", SEALED, nullable=True),
        sa.Column("key_id", sa.String(16), nullable=True),
        sa.Column("fingerprint", sa.String(64), nullable=True),
        sa.Column("last4", sa.String(4), nullable=False),
        sa.Column("till_user", sa.String(100), nullable=True),
        sa.Column("health", sa.String(16), nullable=False),
        sa.Column("reason", sa.String(200), nullable=False),
        sa.Column("reason_at", TIME, nullable=True),
        sa.Column("connected_at", TIME, nullable=True),
        sa.Column("api_sealed", SEALED, nullable=True),
        sa.Column("api_key_id", sa.String(16), nullable=True),
        sa.Column("api_fingerprint", sa.String(64), nullable=True),
        sa.PrimaryKeyConstraint("user_id", name=op.f("pk_evotor_connections")),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_evotor_connections_user_id"), ondelete="CASCADE"
        ),
        sa.UniqueConstraint("api_fingerprint", name=op.f("uq_evotor_connections_api_fingerprint")),
        sa.UniqueConstraint("till_user", name=op.f("uq_evotor_connections_till_user")),
        **OPTIONS,
    )
    op.create_index(op.f("ix_evotor_connections_api_key_id"), "evotor_connections", ["api_key_id"])
    op.create_index(op.f("ix_evotor_connections_key_id"), "evotor_connections", ["key_id"])
    op.create_table(
        "item_links",
        sa.Column("user_id", KEY, autoincrement=False, nullable=False),
        sa.Column("community_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("product_id", sa.String(100), nullable=False),
        sa.Column("marker", sa.String(50), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("item_id", sa.BigInteger(), nullable=True),
        sa.Column("keeps_text", sa.Boolean(), nullable=False),
        sa.Column("hidden_by_us", sa.Boolean(), nullable=False),
        sa.Column("album_id", sa.BigInteger(), nullable=True),
        sa.Column("source", DIGEST, nullable=False),
        sa.Column("face", DIGEST, nullable=False),
        sa.Column("written", LONG, nullable=True),
        sa.Column("read_back", LONG, nullable=True),
        sa.Column("photo_source", sa.String(200), nullable=False),
        sa.Column("refused", DIGEST, nullable=False),
        sa.Column("refusal", sa.String(200), nullable=False),
        sa.Column("intent_at", TIME, nullable=True),
        sa.Column("looked_at", TIME, nullable=True),
        sa.Column("created_at", TIME, nullable=True),
        sa.PrimaryKeyConstraint("user_id", "community_id", "product_id", name=op.f("pk_item_links")),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_item_links_user_id"), ondelete="CASCADE"),
        **OPTIONS,
    )
    op.create_index(op.f("ix_item_links_created"), "item_links", ["user_id", "community_id", "created_at"])
    op.create_index(op.f("ix_item_links_item"), "item_links", ["user_id", "community_id", "item_id"])
    op.create_table(
        "mirrors",
        sa.Column("user_id", KEY, autoincrement=False, nullable=False),
        sa.Column("wanted_at", TIME, nullable=True),
        sa.Column("wanted_scope", sa.String(8), nullable=True),
        sa.Column("wanted_reasons", LONG, nullable=False),
        sa.Column("started_at", TIME, nullable=True),
        sa.Column("next_at", TIME, nullable=True),
        sa.Column("run_id", sa.BigInteger(), nullable=True),
        sa.Column("run_with", sa.String(100), nullable=False),
        sa.Column("last_run_id", sa.BigInteger(), nullable=True),
        sa.Column("readings", LONG, nullable=False),
        sa.Column("pauses", LONG, nullable=False),
        sa.Column("shop_read_at", TIME, nullable=True),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("user_id", name=op.f("pk_mirrors")),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_mirrors_user_id"), ondelete="CASCADE"),
        **OPTIONS,
    )
    op.create_index(op.f("ix_mirrors_next_at"), "mirrors", ["next_at"])
    op.create_index(op.f("ix_mirrors_run_id"), "mirrors", ["run_id"])
    op.create_index(op.f("ix_mirrors_wanted_at"), "mirrors", ["wanted_at"])
    op.create_table(
        "role_permissions",
        sa.Column("role_id", KEY, autoincrement=False, nullable=False),
        sa.Column("permission_id", KEY, autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("role_id", "permission_id", name=op.f("pk_role_permissions")),
        sa.ForeignKeyConstraint(
            ["permission_id"], ["permissions.id"], name=op.f("fk_role_permissions_permission_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["role_id"], ["roles.id"], name=op.f("fk_role_permissions_role_id"), ondelete="CASCADE"
        ),
        **OPTIONS,
    )
    op.create_index(op.f("ix_role_permissions_permission_id"), "role_permissions", ["permission_id"])
    op.create_table(
        "sync_configs",
        sa.Column("user_id", KEY, autoincrement=False, nullable=False),
        sa.Column("interval_seconds", sa.Integer(), nullable=True),
        sa.Column("weight_multiplier", sa.Integer(), nullable=True),
        sa.Column("stock_mode", sa.String(16), nullable=True),
        sa.Column("when_gone", sa.String(16), nullable=True),
        sa.Column("when_switched_off", sa.String(16), nullable=True),
        sa.Column("allowed_kinds", LONG, nullable=False),
        sa.Column("store_order", LONG, nullable=False),
        sa.Column("new_groups_on", LONG, nullable=False),
        sa.Column("category_id", sa.BigInteger(), nullable=True),
        sa.Column("root_group_title", sa.String(128), nullable=True),
        sa.Column("started_at", TIME, nullable=True),
        sa.Column("paused_at", TIME, nullable=True),
        sa.PrimaryKeyConstraint("user_id", name=op.f("pk_sync_configs")),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_sync_configs_user_id"), ondelete="CASCADE"),
        **OPTIONS,
    )
    op.create_table(
        "sync_filters",
        sa.Column("user_id", KEY, autoincrement=False, nullable=False),
        sa.Column("entity_type", sa.String(8), nullable=False),
        sa.Column("parent_entity_id", sa.String(100), nullable=False),
        sa.Column("entity_id", sa.String(100), nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint(
            "user_id", "entity_type", "parent_entity_id", "entity_id", name=op.f("pk_sync_filters")
        ),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_sync_filters_user_id"), ondelete="CASCADE"),
        **OPTIONS,
    )
    op.create_table(
        "sync_runs",
        sa.Column("id", KEY, nullable=False),
        sa.Column("user_id", KEY, nullable=False),
        sa.Column("scope", sa.String(8), nullable=False),
        sa.Column("reasons", LONG, nullable=False),
        sa.Column("started_at", TIME, nullable=False),
        sa.Column("finished_at", TIME, nullable=True),
        sa.Column("outcome", sa.String(16), nullable=True),
        sa.Column("code", sa.String(100), nullable=False),
        sa.Column("step", sa.String(24), nullable=True),
        sa.Column("done", sa.BigInteger(), nullable=False),
        sa.Column("total", sa.BigInteger(), nullable=False),
        sa.Column("counts", LONG, nullable=False),
        sa.Column("notes", LONG, nullable=False),
        sa.Column("heartbeat_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sync_runs")),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_sync_runs_user_id"), ondelete="CASCADE"),
        **OPTIONS,
    )
    op.create_index(op.f("ix_sync_runs_started_at"), "sync_runs", ["started_at"])
    op.create_index(op.f("ix_sync_runs_user_finished"), "sync_runs", ["user_id", "finished_at"])
    op.create_index(op.f("ix_sync_runs_user_started"), "sync_runs", ["user_id", "started_at"])
    op.create_table(
        "user_roles",
        sa.Column("user_id", KEY, autoincrement=False, nullable=False),
        sa.Column("role_id", KEY, autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("user_id", "role_id", name=op.f("pk_user_roles")),
        sa.ForeignKeyConstraint(["role_id"], ["roles.id"], name=op.f("fk_user_roles_role_id")),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_user_roles_user_id"), ondelete="CASCADE"),
        **OPTIONS,
    )
    op.create_index(op.f("ix_user_roles_role_id"), "user_roles", ["role_id"])
    op.create_table(
        "vk_cached_albums",
        sa.Column("user_id", KEY, autoincrement=False, nullable=False),
        sa.Column("group_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("album_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("title", LONG, nullable=False),
        sa.Column("title_folded", sa.String(255), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("digest", DIGEST, nullable=False),
        sa.PrimaryKeyConstraint("user_id", "group_id", "album_id", name=op.f("pk_vk_cached_albums")),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_vk_cached_albums_user_id"), ondelete="CASCADE"
        ),
        **OPTIONS,
    )
    op.create_table(
        "vk_cached_products",
        sa.Column("user_id", KEY, autoincrement=False, nullable=False),
        sa.Column("group_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("item_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("title", LONG, nullable=False),
        sa.Column("title_folded", sa.String(255), nullable=False),
        sa.Column("description", LONG, nullable=False),
        sa.Column("kopecks", sa.BigInteger(), nullable=True),
        sa.Column("currency", sa.Integer(), nullable=True),
        sa.Column("sku", sa.String(100), nullable=True),
        sa.Column("stock", sa.BigInteger(), nullable=True),
        sa.Column("availability", sa.SmallInteger(), nullable=False),
        sa.Column("album_ids", sa.Text(), nullable=True),
        sa.Column("category_id", sa.BigInteger(), nullable=True),
        sa.Column("photo_url", LONG, nullable=False),
        sa.Column("rejection", LONG, nullable=False),
        sa.Column("face", DIGEST, nullable=False),
        sa.Column("digest", DIGEST, nullable=False),
        sa.PrimaryKeyConstraint("user_id", "group_id", "item_id", name=op.f("pk_vk_cached_products")),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_vk_cached_products_user_id"), ondelete="CASCADE"
        ),
        **OPTIONS,
    )
    op.create_index(op.f("ix_vk_cached_products_title"), "vk_cached_products", ["user_id", "group_id", "title_folded"])
    op.create_table(
        "vk_connections",
        sa.Column("user_id", KEY, autoincrement=False, nullable=False),
        sa.Column("sealed", SEALED, nullable=True),
        sa.Column("key_id", sa.String(16), nullable=True),
        sa.Column("fingerprint", sa.String(64), nullable=True),
        sa.Column("last4", sa.String(4), nullable=False),
        sa.Column("group_id", sa.BigInteger(), nullable=False),
        sa.Column("community_name", sa.String(200), nullable=False),
        sa.Column("vk_user_id", sa.BigInteger(), nullable=True),
        sa.Column("expires_at", TIME, nullable=True),
        sa.Column("health", sa.String(16), nullable=False),
        sa.Column("reason", sa.String(200), nullable=False),
        sa.Column("reason_at", TIME, nullable=True),
        sa.Column("connected_at", TIME, nullable=True),
        sa.PrimaryKeyConstraint("user_id", name=op.f("pk_vk_connections")),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_vk_connections_user_id"), ondelete="CASCADE"),
        sa.UniqueConstraint("group_id", name=op.f("uq_vk_connections_group_id")),
        **OPTIONS,
    )
    op.create_index(op.f("ix_vk_connections_expires_at"), "vk_connections", ["expires_at"])
    op.create_index(op.f("ix_vk_connections_key_id"), "vk_connections", ["key_id"])
    op.create_table(
        "run_items",
        sa.Column("id", KEY, nullable=False),
        sa.Column("run_id", KEY, nullable=False),
        sa.Column("product_id", sa.String(100), nullable=False),
        sa.Column("result", sa.String(16), nullable=False),
        sa.Column("why", sa.String(200), nullable=False),
        sa.Column("code", sa.String(100), nullable=False),
        sa.Column("fields", LONG, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_run_items")),
        sa.ForeignKeyConstraint(["run_id"], ["sync_runs.id"], name=op.f("fk_run_items_run_id"), ondelete="CASCADE"),
        **OPTIONS,
    )
    op.create_index(op.f("ix_run_items_run_id"), "run_items", ["run_id"])
    built_in_roles()


def built_in_roles() -> None:
    roles = sa.table("roles", sa.column("id", KEY), sa.column("name", sa.String()), sa.column("built_in", sa.Boolean()))
    permissions = sa.table("permissions", sa.column("id", KEY), sa.column("name", sa.String()))
    granted = sa.table("role_permissions", sa.column("role_id", KEY), sa.column("permission_id", KEY))
    role_ids = {name: number for number, name in enumerate(ROLES, 1)}
    permission_ids = {name: number for number, name in enumerate(PERMISSIONS, 1)}
    op.bulk_insert(roles, [{"id": number, "name": name, "built_in": True} for name, number in role_ids.items()])
    op.bulk_insert(permissions, [{"id": number, "name": name} for name, number in permission_ids.items()])
    op.bulk_insert(
        granted,
        [
            {"role_id": role_ids[role], "permission_id": permission_ids[name]}
            for role, names in ROLES.items()
            for name in names
        ],
    )


def downgrade() -> None:
    op.drop_table("run_items")
    op.drop_table("vk_connections")
    op.drop_table("vk_cached_products")
    op.drop_table("vk_cached_albums")
    op.drop_table("user_roles")
    op.drop_table("sync_runs")
    op.drop_table("sync_filters")
    op.drop_table("sync_configs")
    op.drop_table("role_permissions")
    op.drop_table("mirrors")
    op.drop_table("item_links")
    op.drop_table("evotor_connections")
    op.drop_table("cached_stores")
    op.drop_table("cached_products")
    op.drop_table("cached_groups")
    op.drop_table("album_links")
    op.drop_table("users")
    op.drop_table("roles")
    op.drop_table("permissions")
