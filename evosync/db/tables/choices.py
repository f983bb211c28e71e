"""What the owner decided."""

from sqlalchemy import BigInteger, Boolean, Column, Integer, String

from evosync.db.tables.schema import opaque, owner, table
from evosync.db.types import Json, UtcTime, Words

# Null: as the operator set it. `started_at`: the owner's first start; nothing is written to VK before.
sync_configs = table(
    "sync_configs",
    owner(),
    Column("interval_seconds", Integer(), nullable=True),
    Column("weight_multiplier", Integer(), nullable=True),
    Column("stock_mode", String(16), nullable=True),
    Column("when_gone", String(16), nullable=True),
    Column("when_switched_off", String(16), nullable=True),
    Column("allowed_kinds", Json(), nullable=False),
    Column("store_order", Json(), nullable=False),
    Column("new_groups_on", Json(), nullable=False),
    Column("category_id", BigInteger(), nullable=True),
    Column("root_group_title", Words(128), nullable=True),
    Column("started_at", UtcTime(), nullable=True),
    Column("paused_at", UtcTime(), nullable=True),
)

# A store's parent is ''; the group '' is the root of its store (`ids.ROOT`). What has no row is off.
sync_filters = table(
    "sync_filters",
    owner(),
    Column("entity_type", String(8), primary_key=True),
    opaque("parent_entity_id", primary_key=True),
    opaque("entity_id", primary_key=True),
    Column("enabled", Boolean(), nullable=False),
)
