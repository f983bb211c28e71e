"""What VK last said. `group_id` is the community."""

from sqlalchemy import BigInteger, Column, Index, Integer, SmallInteger

from evosync.db.tables.schema import owner, table
from evosync.db.types import FOLDED, Numbers, Words, digest_type

vk_cached_albums = table(
    "vk_cached_albums",
    owner(),
    Column("group_id", BigInteger(), primary_key=True, autoincrement=False),
    Column("album_id", BigInteger(), primary_key=True, autoincrement=False),
    Column("title", Words(), nullable=False),
    Column("title_folded", Words(FOLDED), nullable=False),
    Column("size", Integer(), nullable=False),
    Column("digest", digest_type(), nullable=False),
)

vk_cached_products = table(
    "vk_cached_products",
    owner(),
    Column("group_id", BigInteger(), primary_key=True, autoincrement=False),
    Column("item_id", BigInteger(), primary_key=True, autoincrement=False),
    Column("title", Words(), nullable=False),
    Column("title_folded", Words(FOLDED), nullable=False),
    Column("description", Words(), nullable=False),
    Column("kopecks", BigInteger(), nullable=True),
    Column("currency", Integer(), nullable=True),
    Column("sku", Words(100), nullable=True),
    Column("stock", BigInteger(), nullable=True),
    Column("availability", SmallInteger(), nullable=False),
    Column("album_ids", Numbers(), nullable=True),
    Column("category_id", BigInteger(), nullable=True),
    Column("photo_url", Words(), nullable=False),
    Column("rejection", Words(), nullable=False),
    Column("face", digest_type(), nullable=False),
    Column("digest", digest_type(), nullable=False),
    Index("ix_vk_cached_products_title", "user_id", "group_id", "title_folded"),
)
