"""Both catalogs as EvoSync sees them: Evotor's stores, groups and products, VK's albums and items."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import IntEnum, StrEnum

from evosync.domain.ids import AlbumId, CommunityId, GroupId, ItemId, ProductId, StoreId


@dataclass(frozen=True, slots=True)
class Store:
    """A shop of the owner; `till_user` is Evotor's number of the account that it belongs to."""

    id: StoreId
    name: str
    address: str = ""
    till_user: str = ""


@dataclass(frozen=True, slots=True)
class Group:
    """A product group; one that `holds_modifications` is no group for us (Evotor FACTS 1.5)."""

    id: GroupId
    store: StoreId
    name: str
    parent: GroupId = GroupId("")
    holds_modifications: bool = False


@dataclass(frozen=True, slots=True)
class Product:
    """A product of one store.

    `kopecks` is None when the till names no price. `quantity` is None when the till does not
    tell it. `group` is the raw parent, which may be a modification group or no longer exist.
    `digest` covers every other field: equal digests, equal products.
    """

    id: ProductId
    store: StoreId
    name: str
    group: GroupId = GroupId("")
    kopecks: int | None = None
    quantity: Decimal | None = None
    unit: str = ""
    kind: str = "NORMAL"
    sellable: bool = True
    description: str = ""
    code: str = ""
    article: str = ""
    updated_at: datetime | None = None
    digest: bytes = b""


class Availability(IntEnum):
    """VK FACTS 2."""

    AVAILABLE = 0
    REMOVED = 1
    UNAVAILABLE = 2


@dataclass(frozen=True, slots=True)
class Album:
    """A VK album (shown to owners as «подборка»); `size` is VK's own count of items in it."""

    id: AlbumId
    title: str
    size: int = 0
    digest: bytes = b""


@dataclass(frozen=True, slots=True)
class Item:
    """A VK market item as VK tells it, texts as VK gives them back.

    None means that VK did not name the field, which never counts as a difference (VK FACTS 6).
    `face` is a digest of the fields that the mirror writes (title, description, price, stock,
    availability); `digest` covers every field.
    """

    id: ItemId
    title: str
    description: str = ""
    kopecks: int | None = None
    currency: int | None = None
    sku: str | None = None
    stock: int | None = None
    availability: Availability = Availability.AVAILABLE
    albums: tuple[AlbumId, ...] | None = None
    category: int | None = None
    photo_url: str = ""
    rejection: str = ""
    face: bytes = b""
    digest: bytes = b""


class ShopTrouble(StrEnum):
    """Why a community cannot be mirrored into, as told by `groups.getById` (VK FACTS 9)."""

    DEACTIVATED = "deactivated"
    NO_RIGHTS = "no_rights"
    SHOP_OFF = "shop_off"
    CURRENCY = "currency"


@dataclass(frozen=True, slots=True)
class Community:
    """A VK community and what stands in the way of mirroring, if anything does."""

    id: CommunityId
    name: str
    currency: int | None = 643
    currency_name: str = ""
    trouble: ShopTrouble | None = None


@dataclass(frozen=True, slots=True)
class Till:
    """Everything known of the owner's tills: the last listing of each store that arrived whole.

    `products` holds one entry for each product and store. `unpaid` stores answer 402 and keep
    what they last said.
    """

    stores: tuple[Store, ...]
    groups: tuple[Group, ...]
    products: tuple[Product, ...]
    unpaid: frozenset[StoreId] = frozenset()


@dataclass(frozen=True, slots=True)
class Shop:
    """One reading of a community's shop.

    `complete` is False where only the items of a few products were read (a hint).
    `missing` are items that a link names, that the listing lacked and that VK, asked for them
    by id, did not have either: only these count as deleted (VK FACTS 6).
    """

    albums: tuple[Album, ...]
    items: Mapping[ItemId, Item]
    missing: frozenset[ItemId] = frozenset()
    complete: bool = True
