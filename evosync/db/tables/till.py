"""What the till last said."""

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, String

from evosync.db.tables.schema import opaque, owner, table
from evosync.db.types import FOLDED, Json, UtcTime, Words, digest_type

# `position` keeps the till's own order of stores.
cached_stores = table(
    "cached_stores",
    owner(),
    opaque("store_id", primary_key=True),
    Column("name", Words(), nullable=False),
    Column("address", Words(), nullable=False),
    Column("till_user", String(100), nullable=False),
    Column("position", Integer(), nullable=False),
)

cached_groups = table(
    "cached_groups",
    owner(),
    opaque("store_id", primary_key=True),
    opaque("group_id", primary_key=True),
    opaque("parent_id"),
    Column("name", Words(), nullable=False),
    Column("holds_modifications", Boolean(), nullable=False),
)

# `quantity` is exact decimal text; `group_id` the raw parent, '' at the root. `gone_at`: no longer at the till.
cached_products = table(
    "cached_products",
    owner(),
    opaque("store_id", primary_key=True),
    opaque("product_id", primary_key=True),
    opaque("group_id"),
    Column("name", Words(), nullable=False),
    Column("name_folded", Words(FOLDED), nullable=False),
    Column("kopecks", BigInteger(), nullable=True),
    Column("quantity", String(40), nullable=True),
    Column("unit", Words(40), nullable=False),
    Column("kind", Words(40), nullable=False),
    Column("sellable", Boolean(), nullable=False),
    Column("description", Words(), nullable=False),
    Column("code", Words(200), nullable=False),
    Column("article", Words(200), nullable=False),
    Column("updated_at", UtcTime(), nullable=True),
    Column("digest", digest_type(), nullable=False),
    Column("seen_at", UtcTime(), nullable=False),
    Column("gone_at", UtcTime(), nullable=True),
    Column("vk_product_id", BigInteger(), nullable=True),
    Column("status", String(32), nullable=True),
    Column("status_values", Json(), nullable=True),
    Column("status_digest", digest_type(), nullable=True),
    Column("status_at", UtcTime(), nullable=True),
    Column("status_run_id", BigInteger(), nullable=True),
    # One page of a shop of 15,000 products, by name, with or without a group; and the shop's problems. The first
    # holds all that a list is searched, filtered and ordered by, so that its rows are not read for it; in the order
    # of `group` products are counted by group and status, without a temporary table.
    Index(
        "ix_cached_products_list",
        "user_id",
        "store_id",
        "name_folded",
        "product_id",
        "status",
        "group_id",
        "gone_at",
    ),
    Index("ix_cached_products_code", "user_id", "store_id", "code"),
    Index("ix_cached_products_group", "user_id", "store_id", "group_id", "status", "gone_at"),
    Index("ix_cached_products_product", "user_id", "product_id"),
    Index("ix_cached_products_status", "user_id", "status"),
)
