"""Which product is which item, per community. `community_id` stays when the owner connects another one."""

from sqlalchemy import BigInteger, Boolean, Column, Index, String

from evosync.db.tables.schema import opaque, owner, table
from evosync.db.types import Json, UtcTime, Words, digest_type

item_links = table(
    "item_links",
    owner(),
    Column("community_id", BigInteger(), primary_key=True, autoincrement=False),
    opaque("product_id", primary_key=True),
    Column("marker", String(50), nullable=False),
    Column("state", String(16), nullable=False),
    Column("item_id", BigInteger(), nullable=True),
    Column("keeps_text", Boolean(), nullable=False),
    Column("hidden_by_us", Boolean(), nullable=False),
    Column("album_id", BigInteger(), nullable=True),
    Column("source", digest_type(), nullable=False),
    Column("face", digest_type(), nullable=False),
    Column("written", Json(), nullable=True),
    Column("read_back", Json(), nullable=True),
    Column("photo_source", Words(200), nullable=False),
    Column("refused", digest_type(), nullable=False),
    Column("refusal", Words(200), nullable=False),
    Column("intent_at", UtcTime(), nullable=True),
    Column("looked_at", UtcTime(), nullable=True),
    Column("created_at", UtcTime(), nullable=True),
    Index("ix_item_links_item", "user_id", "community_id", "item_id"),
    Index("ix_item_links_created", "user_id", "community_id", "created_at"),
)

album_links = table(
    "album_links",
    owner(),
    Column("community_id", BigInteger(), primary_key=True, autoincrement=False),
    opaque("store_id", primary_key=True),
    opaque("group_id", primary_key=True),
    Column("album_id", BigInteger(), nullable=False),
    Column("title", Words(), nullable=False),
    Column("read_back", Words(), nullable=False),
    Column("adopted", Boolean(), nullable=False),
)
