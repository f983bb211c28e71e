"""The VK shop as buyers see it: albums, items with their pictures, and which product of the till each follows."""

from dataclasses import dataclass
from html import unescape
from typing import Final

from aiohttp import web
from sqlalchemy.ext.asyncio import AsyncConnection

from evosync.db import browse_shop
from evosync.db.browse_shop import NO_ALBUM, AlbumSeen, ItemPage, ItemSeen
from evosync.db.credentials import Connected, connected
from evosync.domain.catalog import Availability
from evosync.domain.ids import AlbumId, CommunityId
from evosync.web.keys import FORMAT, SERVICES, WORDS
from evosync.web.pages.catalog import list_path
from evosync.web.paths import with_query
from evosync.web.render import page
from evosync.web.viewer import viewer_of
from evosync.web.vk_site import album_address, item_address, shop_address
from evosync.words.statuses import YOURS
from evosync.words.tone import Tone

_LONGEST_SEARCH: Final = 200


async def front(_request: web.Request) -> web.Response:
    raise web.HTTPFound("/vk-catalog/albums")


async def show_albums(request: web.Request) -> web.Response:
    services, viewer = request.app[SERVICES], viewer_of(request)

    async def look(connection: AsyncConnection) -> tuple[Connected, tuple[AlbumSeen, ...]]:
        seen = await connected(connection, viewer.id)
        if seen.community is None:
            return seen, ()
        return seen, await browse_shop.albums(connection, viewer.id, seen.community)

    seen, albums = await services.database.read(look)
    context = {
        "seen": seen,
        "albums": albums,
        "named": [album for album in albums if album.id != NO_ALBUM],
        "NO_ALBUM": NO_ALBUM,
        "shop": shop_address(seen.community) if seen.community is not None else "",
    }
    return await page(request, "vk_catalog/albums.html", context)


async def show_items(request: web.Request) -> web.Response:
    services, viewer = request.app[SERVICES], viewer_of(request)
    ident = _album_of(request)
    text = request.query.get("q", "").strip()[:_LONGEST_SEARCH]
    number = _number_of(request)

    async def look(connection: AsyncConnection) -> tuple[CommunityId, AlbumSeen, ItemPage]:
        seen = await connected(connection, viewer.id)
        if seen.community is None:
            raise web.HTTPNotFound
        album = await browse_shop.album(connection, viewer.id, seen.community, ident)
        if album is None:
            raise web.HTTPNotFound
        found = await browse_shop.items(connection, viewer.id, seen.community, ident, text=text, number=number)
        return seen.community, album, found

    community, album, found = await services.database.read(look)
    path = f"/vk-catalog/albums/{ident}/products"
    context = {
        "album": album,
        "found": found,
        "text": text,
        "title": album.title if ident != NO_ALBUM else request[WORDS].gettext("Without a collection"),
        "rows": [_row(item, community, request) for item in found.items],
        "back": with_query(path, {"q": text, "page": str(found.number - 1)}) if found.number > 1 else "",
        "next": with_query(path, {"q": text, "page": str(found.number + 1)}) if found.number < found.pages else "",
        "all_path": path,
        "in_vk": album_address(community, ident) if ident != NO_ALBUM else shop_address(community),
    }
    return await page(request, "vk_catalog/items.html", context)


def _album_of(request: web.Request) -> AlbumId:
    text = request.match_info["id"]
    if not (text.isascii() and text.isdecimal() and len(text) <= 18):
        raise web.HTTPNotFound
    return AlbumId(int(text))


def _number_of(request: web.Request) -> int:
    text = request.query.get("page", "1")
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 9 else 1


@dataclass(frozen=True, slots=True)
class Row:
    """An item as its line says it. `till` is where its product is to be found, empty for one that is gone."""

    title: str
    price: str
    picture: str
    tone: Tone
    pill: str
    reason: str
    follows: str
    till: str
    link: str


def _row(item: ItemSeen, community: CommunityId, request: web.Request) -> Row:
    words, language = request[WORDS], request[WORDS].language.value
    follows, till = "", ""
    if item.followed is None:
        tone, pill, reason = YOURS.tone, YOURS.pill.said(language), YOURS.reason.said(language)
    else:
        name = item.followed.name or item.title
        code = words.gettext("code %(code)s", code=item.followed.code) if item.followed.code else ""
        follows = words.gettext("at the till: %(name)s", name=", ".join(filter(None, (name, code))))
        if item.followed.store is not None:
            till = list_path(item.followed.store, q=item.followed.code or name)
        tone, pill, reason = _state(item, request)
    if item.rejection:
        tone, pill, reason = Tone.YOU, words.gettext("VK refused it"), item.rejection
    return Row(
        unescape(item.title),
        request[FORMAT].price(item.kopecks),
        item.photo_url,
        tone,
        pill,
        reason,
        follows,
        till,
        item_address(community, item.id),
    )


def _state(item: ItemSeen, request: web.Request) -> tuple[Tone, str, str]:
    say = request[WORDS].gettext
    if item.followed is not None and item.followed.store is None:
        return Tone.OFF, say("Gone from the till"), ""
    if item.availability is Availability.REMOVED:
        return Tone.OFF, say("Deleted in VK"), ""
    if item.availability is Availability.UNAVAILABLE:
        return Tone.OFF, say("Hidden"), say("buyers do not see it")
    if item.stock == 0:
        return Tone.OK, say("Sold out"), ""
    if item.followed is not None and item.followed.keeps_text:
        return Tone.OK, say("Follows the till"), say("name, text and picture stay yours")
    return Tone.OK, say("Follows the till"), ""


routes = [
    web.get("/vk-catalog", front, name="vk-catalog"),
    web.get("/vk-catalog/albums", show_albums, name="albums"),
    web.get("/vk-catalog/albums/{id}/products", show_items, name="album"),
]
