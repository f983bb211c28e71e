"""All tables, one module per aggregate."""

from evosync.db.tables.choices import sync_configs, sync_filters
from evosync.db.tables.connections import evotor_connections, vk_connections
from evosync.db.tables.deliveries import deliveries, pending_tokens
from evosync.db.tables.links import album_links, item_links
from evosync.db.tables.mirrors import mirrors
from evosync.db.tables.runs import run_items, sync_runs
from evosync.db.tables.schema import metadata
from evosync.db.tables.shop import vk_cached_albums, vk_cached_products
from evosync.db.tables.site import audit, letters, links
from evosync.db.tables.till import cached_groups, cached_products, cached_stores
from evosync.db.tables.users import permissions, role_permissions, roles, user_roles, users

__all__ = [
    "album_links",
    "audit",
    "cached_groups",
    "cached_products",
    "cached_stores",
    "deliveries",
    "evotor_connections",
    "item_links",
    "letters",
    "links",
    "metadata",
    "mirrors",
    "pending_tokens",
    "permissions",
    "role_permissions",
    "roles",
    "run_items",
    "sync_configs",
    "sync_filters",
    "sync_runs",
    "user_roles",
    "users",
    "vk_cached_albums",
    "vk_cached_products",
    "vk_connections",
]
