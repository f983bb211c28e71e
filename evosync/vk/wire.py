"""Bytes of VK's replies to values; no I/O. Odd values are read as well as can be (VK FACTS 6)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

import orjson

from evosync.domain.catalog import Album, Availability, Community, Item, ShopTrouble
from evosync.domain.digest import digest
from evosync.domain.guard import ROUBLE
from evosync.domain.ids import AlbumId, CommunityId, ItemId, PhotoId
from evosync.domain.making import maker
from evosync.vk.faults import Fault, read_fault, without_secrets

EDITOR = 2
_HTTP_SERVER_ERROR = 500
_made = maker(Item)
_SIZES = b'"sizes":['
"""A key and nothing else: within a text its quotes would be escaped."""


class Broken(Exception):
    """Not a reply of VK's API at all; `code` says what it was instead."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True, slots=True)
class Reply:
    """`value` is `response`; `faults` are the `execute_errors`, in the order in which the calls ran."""

    value: Any
    faults: tuple[Fault, ...] = ()


def read_reply(status: int, body: bytes) -> Reply | Fault:
    """Raises `Broken` for a 5xx, for a body that is cut or no JSON, and for JSON of another shape."""
    if status >= _HTTP_SERVER_ERROR:
        raise Broken(f"VK HTTP {status}")
    try:
        raw = _parse(body)
    except orjson.JSONDecodeError as error:
        raise Broken(f"VK HTTP {status}" if status != 200 else "VK body") from error
    if isinstance(raw, dict):
        if isinstance(raw.get("error"), dict):
            return read_fault(raw["error"])
        if "response" in raw:
            faults = raw.get("execute_errors")
            listed = faults if isinstance(faults, list) else ()
            return Reply(raw["response"], tuple(read_fault(fault) for fault in listed if isinstance(fault, dict)))
    raise Broken("VK shape")


def _parse(body: bytes) -> Any:
    """`body` without the lists of pictures' sizes: three quarters of a long listing, which nobody reads."""
    parts = []
    read = 0
    while (found := body.find(_SIZES, read)) >= 0:
        start = found + len(_SIZES)
        end = body.find(b"]", start)
        if end < 0:
            break
        parts.append(body[read:start])
        read = end
    try:
        return orjson.loads(b"".join((*parts, body[read:])))
    except orjson.JSONDecodeError:
        if not parts:
            raise
        return orjson.loads(body)  # a bracket within an address, perhaps


def rub(kopecks: int) -> str:
    """What `market.add` and `market.edit` take: roubles with a decimal point (VK FACTS 1)."""
    return f"{kopecks // 100}.{kopecks % 100:02d}"


def entries(value: Any) -> list[Any]:
    """The list in a `{count, items}` reply, or the list itself; empty where neither is."""
    if isinstance(value, dict):
        value = value.get("items")
    return value if isinstance(value, list) else []


def read_items(value: Any) -> list[Item]:
    """Of `market.get` or `market.getById`; entries that are no items (`false`, id 0) are left out."""
    return [item for raw in entries(value) if (item := read_item(raw)) is not None]


def read_owned_items(value: Any) -> dict[tuple[int, ItemId], Item]:
    """By `owner_id` and id, for a reply that may mix communities."""
    found = {}
    for raw in entries(value):
        item = read_item(raw)
        if item is not None:
            found[_int(raw.get("owner_id")) or 0, item.id] = item
    return found


def read_item(raw: Any) -> Item | None:
    """None for what is no item.

    Runs ten thousand times in a run in which nothing changed, so items as they should be take a short way.
    """
    try:
        item_id, title, description = raw["id"], raw["title"], raw["description"]
        price = raw["price"]
        kopecks, currency = int(price["amount"]), price["currency"]["id"]
        category, availability = raw["category"]["id"], _AVAILABILITIES[raw["availability"]]
        sku, stock, albums, photo = raw["sku"], raw["stock_amount"], raw["albums_ids"], raw["thumb_photo"]
    except (KeyError, TypeError, ValueError):
        return _read_odd_item(raw)
    if (
        item_id.__class__ is currency.__class__ is category.__class__ is stock.__class__ is int
        and title.__class__ is description.__class__ is sku.__class__ is photo.__class__ is str
        and albums.__class__ is list
        and "reject_info" not in raw
        and item_id > 0
    ):
        return _item(
            item_id, title, description, kopecks, currency, sku, stock, availability, tuple(albums), category, photo, ""
        )
    return _read_odd_item(raw)


def _read_odd_item(raw: Any) -> Item | None:
    """Each field apart, for an item in which something is missing or of another type."""
    if not isinstance(raw, dict):
        return None
    item_id = _int(raw.get("id"))
    if not item_id or item_id < 0:
        return None
    price = raw.get("price")
    price = price if isinstance(price, dict) else {}
    albums = raw.get("albums_ids")
    if albums is not None:
        albums = tuple(album for album in albums if isinstance(album, int)) if isinstance(albums, list) else ()
    return _item(
        item_id,
        _text(raw.get("title")) or "",
        _text(raw.get("description")) or "",
        _int(price.get("amount")),
        _id(price.get("currency")),
        _text(raw.get("sku")),
        _int(raw.get("stock_amount")),
        _AVAILABILITIES.get(_int(raw.get("availability")) or 0, Availability.AVAILABLE),
        albums,
        _id(raw.get("category")) or _id(raw.get("category_v2")),
        _text(raw.get("thumb_photo")) or "",
        _rejection(raw.get("reject_info")),
    )


def _item(
    item_id: int,
    title: str,
    description: str,
    kopecks: int | None,
    currency: int | None,
    sku: str | None,
    stock: int | None,
    availability: Availability,
    albums: tuple[Any, ...] | None,
    category: int | None,
    photo: str,
    rejection: str,
) -> Item:
    """With both digests; the second takes the first in place of the texts.

    Of the picture it counts the file's name: host and signature change from reply to reply.
    """
    face = _digest(title, description, kopecks, stock, availability.value)
    file = photo.partition("?")[0].rpartition("/")[2]
    return _made(
        ItemId(item_id),
        title,
        description,
        kopecks,
        currency,
        sku,
        stock,
        availability,
        albums,
        category,
        photo,
        rejection,
        face,
        _digest(face.hex(), item_id, currency, sku, albums, category, file, rejection),
    )


def _digest(*values: object) -> bytes:
    """`domain.digest` for values that came from JSON, in half its time."""
    try:
        return blake2b(orjson.dumps(values), digest_size=12).digest()
    except TypeError:  # a number beyond 64 bits, or half a surrogate pair
        return digest(*values)


_AVAILABILITIES = {each.value: each for each in Availability}


def _int(value: Any) -> int | None:
    """A whole number, also where VK wrote it as text or boolean."""
    try:
        return int(value)
    except (TypeError, ValueError):
        return None


def _id(value: Any) -> int | None:
    """`id` of a nested object, which VK may leave out or replace by an empty list or a bare number."""
    if isinstance(value, dict):
        return _int(value.get("id"))
    return value if isinstance(value, int) else None


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _rejection(raw: Any) -> str:
    """Why moderation rejected an item (VK FACTS 2)."""
    if not isinstance(raw, dict):
        return ""
    return ": ".join(str(raw[key]) for key in ("title", "text") if raw.get(key))


def read_albums(value: Any) -> tuple[tuple[Album, ...], int]:
    """Albums of one page of `market.getAlbums`, and how many entries the page had."""
    listed = entries(value)
    albums = []
    for raw in listed:
        album_id = _int(raw.get("id")) if isinstance(raw, dict) else None
        if album_id and album_id > 0:
            title, size = str(raw.get("title") or ""), _int(raw.get("count")) or 0
            albums.append(Album(AlbumId(album_id), title, size, digest(album_id, title, size)))
    return tuple(albums), len(listed)


def read_community(value: Any, community: CommunityId) -> Community | None:
    """From `groups.getById`: `{groups, profiles}` in 5.199, a bare list before. None if it is not in there."""
    return next((found for found in read_communities(value) if found.id == community), None)


def read_communities(value: Any) -> tuple[Community, ...]:
    """From `groups.getById` or `groups.get`."""
    groups = value.get("groups") if isinstance(value, dict) and "groups" in value else value
    return tuple(_community(raw) for raw in entries(groups) if isinstance(raw, dict) and _int(raw.get("id")))


def _community(raw: Mapping[str, Any]) -> Community:
    market = raw.get("market")
    market = market if isinstance(market, dict) else {}
    listed = market.get("currency")
    currency = listed if isinstance(listed, dict) else {}
    return Community(
        CommunityId(_int(raw.get("id")) or 0),
        str(raw.get("name") or ""),
        _id(listed),
        str(currency.get("title") or currency.get("name") or ""),
        _trouble(raw, market, _id(listed)),
    )


def _trouble(raw: Mapping[str, Any], market: Mapping[str, Any], currency: int | None) -> ShopTrouble | None:
    """VK FACTS 9, step 3. Moderators are `is_admin` too, which is why the level counts where it is named."""
    if raw.get("deactivated"):
        return ShopTrouble.DEACTIVATED
    level = _int(raw.get("admin_level"))
    if not (_int(raw.get("is_admin")) if level is None else level >= EDITOR):
        return ShopTrouble.NO_RIGHTS
    if not _int(market.get("enabled")):
        return ShopTrouble.SHOP_OFF
    if currency is not None and currency != ROUBLE:
        return ShopTrouble.CURRENCY
    return None


@dataclass(frozen=True, slots=True)
class Category:
    """A leaf of VK's category tree, with the names above it, outermost first."""

    id: int
    path: tuple[str, ...]


def read_categories(value: Any) -> tuple[Category, ...]:
    """Leaves of `market.getCategories`, in VK's order."""
    return tuple(_leaves(entries(value), ()))


def _leaves(nodes: Sequence[Any], above: tuple[str, ...]) -> list[Category]:
    found: list[Category] = []
    for node in nodes:
        if not isinstance(node, dict):
            continue
        path = (*above, str(node.get("name") or ""))
        children = node.get("children")
        category = _int(node.get("id"))
        if isinstance(children, list) and children:
            found += _leaves(children, path)
        elif category:
            found.append(Category(category, path))
    return found


@dataclass(frozen=True, slots=True)
class UploadRefused:
    """The picture host's own error, which arrives with HTTP 200 (VK FACTS 3)."""

    code: str


def read_upload(status: int, body: bytes) -> str | UploadRefused:
    """The raw body, which the save call wants untouched. Raises `Broken`."""
    if status >= _HTTP_SERVER_ERROR:
        raise Broken(f"VK upload HTTP {status}")
    try:
        raw = orjson.loads(body)
        text = body.decode()
    except ValueError as error:
        raise Broken(f"VK upload HTTP {status}") from error
    if not isinstance(raw, dict):
        raise Broken("VK upload shape")
    refusal = raw.get("error") or raw.get("error_msg") or raw.get("error_code")
    if refusal:
        return UploadRefused(without_secrets(str(refusal)))
    return text


def read_photo_ids(value: Any) -> tuple[PhotoId, ...]:
    """From `saveProductPhoto` (one object) or `saveProductPhotoBulk` (a list)."""
    listed = value if isinstance(value, list) else [value]
    ids = [_int(raw.get("photo_id")) if isinstance(raw, dict) else None for raw in listed]
    return tuple(PhotoId(photo) for photo in ids if photo)
