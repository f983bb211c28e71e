"""What EvoSync remembers between runs: which product is which item, and what it last wrote."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from evosync.domain.ids import AlbumId, GroupId, ItemId, ProductId, StoreId


class LinkState(StrEnum):
    """`INTENT`: a create was sent, its outcome not recorded yet. `REMOVED`: the owner deleted the item in VK.

    `REFUSED`: VK refused to create it; tried again once the product changes or the owner asks.
    """

    INTENT = "intent"
    LIVE = "live"
    REMOVED = "removed"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Written:
    """The fields that the mirror writes, as last sent. None: never sent.

    `per_grams` is the amount that the description names, 0 when it names none.
    `hidden` is the `deleted` flag.
    """

    name: str | None = None
    description: str | None = None
    kopecks: int | None = None
    stock: int | None = None
    hidden: bool = False
    per_grams: int = 0


@dataclass(frozen=True, slots=True)
class ReadBack:
    """The same fields as VK gave them back afterwards. None: VK did not name it, or not read yet."""

    title: str | None = None
    description: str | None = None
    kopecks: int | None = None
    stock: int | None = None
    availability: int | None = None


@dataclass(frozen=True, slots=True)
class Link:
    """This product is that item, in one community.

    `keeps_text`: an adopted item, whose name, description and photo stay the owner's.
    `hidden_by_us`: the mirror hid it, so the mirror may show it again.
    `album`: the album that the mirror last put it into.
    `source`: digest of all that the last push was made from (product, settings); `face`: digest of
    what VK gave back after it (`Item.face`). While both are equal to the present ones, nothing is
    to do, and `written` and `read_back` need not be loaded: they are None then.
    `refused`: the `source` that VK refused, with `refusal` saying why as "code field".
    `intent_at`, `looked_at`: when the create was sent; when a whole listing first lacked its marker.
    """

    product: ProductId
    marker: str
    state: LinkState
    item: ItemId | None = None
    keeps_text: bool = False
    hidden_by_us: bool = False
    album: AlbumId | None = None
    source: bytes = b""
    face: bytes = b""
    written: Written | None = None
    read_back: ReadBack | None = None
    photo_source: str = ""
    refused: bytes = b""
    refusal: str = ""
    intent_at: datetime | None = None
    looked_at: datetime | None = None
    created_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class AlbumLink:
    """This group is that album. `title` is what the mirror last wrote, `read_back` what VK made of it."""

    store: StoreId
    group: GroupId
    album: AlbumId
    title: str
    read_back: str
    adopted: bool = False
