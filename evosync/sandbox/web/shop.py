"""``/shop/{group}``: the VK shop as a buyer and its owner would see it."""

from dataclasses import dataclass

from aiohttp import web

from evosync.sandbox.keys import SANDBOX
from evosync.sandbox.vk.render import price_text
from evosync.sandbox.vk.shop import Community, Item
from evosync.sandbox.web.show import Pager, render

IN_SECTION = 12
ON_PAGE = 60
routes = web.RouteTableDef()


@dataclass(frozen=True, slots=True)
class Card:
    """An item as the page shows it."""

    id: int
    title: str
    text: str
    price: str
    old_price: str
    photo: str
    hidden: bool
    out: bool
    stock: int | None


@dataclass(frozen=True, slots=True)
class Section:
    """An album, or the items that stand in none (id 0), with the cards to show and how many there are."""

    id: int
    title: str
    hidden: bool
    cards: list[Card]
    total: int


def _card(item: Item, currency: int) -> Card:
    return Card(
        id=item.id,
        title=item.name,
        text=item.description,
        price=price_text(item.kopecks, currency),
        old_price=price_text(item.old_kopecks, currency) if item.old_kopecks else "",
        photo=f"/vk/photo/{item.photo_ids[0]}" if item.photo_ids else "",
        hidden=item.hidden,
        out=item.stock == 0,
        stock=item.stock if item.stock is not None and item.stock > 0 else None,
    )


def _community(request: web.Request) -> Community:
    text = request.match_info["group"]
    found = request.app[SANDBOX].communities.get(int(text)) if text.isascii() and text.isdigit() else None
    if found is None:
        raise web.HTTPNotFound
    return found


def _sections(community: Community, items: list[Item], most: int) -> list[Section]:
    by_album: dict[int, list[Item]] = {}
    for item in items:
        for album_id in item.album_ids or (0,):
            by_album.setdefault(album_id, []).append(item)
    sections = []
    for album in community.albums.values():
        inside = by_album.get(album.id, [])
        if inside:
            cards = [_card(item, community.currency) for item in inside[:most]]
            sections.append(Section(album.id, album.title, album.hidden, cards, len(inside)))
    loose = by_album.get(0, [])
    if loose:
        cards = [_card(item, community.currency) for item in loose[:most]]
        sections.append(Section(id=0, title="", hidden=False, cards=cards, total=len(loose)))
    return sections


def _values(request: web.Request) -> dict[str, object]:
    community = _community(request)
    query, album = request.query.get("q", "").strip(), request.query.get("album", "")
    with_hidden = request.query.get("hidden", "") == "1"
    every = list(reversed(list(community.living())))
    shown = [item for item in every if not item.hidden]
    items = every if with_hidden else shown
    folded = query.casefold()
    if folded:
        items = [item for item in items if folded in item.name.casefold()]
    if album.isascii() and album.isdigit():
        wanted = int(album)
        items = [item for item in items if (wanted in item.album_ids if wanted else not item.album_ids)]
    flat = bool(query or album)
    pager = Pager.of(request, len(items), ON_PAGE)
    page = [_card(item, community.currency) for item in items[pager.cut(ON_PAGE)]] if flat else []
    return {
        "community": community,
        "albums": [a for a in community.albums.values() if a.item_ids],
        "loose": any(not item.album_ids for item in every),
        "album": album,
        "query": query,
        "with_hidden": with_hidden,
        "sections": [] if flat else _sections(community, items, IN_SECTION),
        "cards": page,
        "flat": flat,
        "pager": pager,
        "found": len(items),
        "total": len(every),
        "on_show": len(shown),
        "path": f"/shop/{community.id}",
    }


@routes.get("/shop/{group}")
async def shop(request: web.Request) -> web.Response:
    """The whole page."""
    return render(request, "shop.html", _values(request))


@routes.get("/shop/{group}/goods")
async def goods(request: web.Request) -> web.Response:
    """The part that changes, for the script; 204 when the page's ``version`` is still the present one."""
    if request.query.get("version") == str(_community(request).version):
        return web.Response(status=204)
    return render(request, "goods.html", _values(request))
