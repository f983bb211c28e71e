"""The till's catalog: which stores and groups are shown, and where each product stands."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from aiohttp import web
from sqlalchemy.ext.asyncio import AsyncConnection

from evosync.db import browse, switches
from evosync.db.browse import Bucket, Find, GroupSeen, ProductSeen, StoreNamed, StoreSeen
from evosync.db.choices import Unknown
from evosync.db.credentials import connected
from evosync.domain.ids import ROOT, GroupId, StoreId, UserId
from evosync.domain.mirror import StoreState
from evosync.domain.status import NEEDS_OWNER, Status
from evosync.web import session
from evosync.web.errors import wants_json
from evosync.web.keys import CLIENT, FORMAT, SERVICES, WORDS
from evosync.web.paths import came_from, group_path, plain, segment, store_path, with_query
from evosync.web.render import answer, page
from evosync.web.viewer import viewer_of
from evosync.web.vk_site import item_address
from evosync.words.errors import card_of
from evosync.words.language import marked
from evosync.words.statuses import STATUSES, reason_of
from evosync.words.tone import Tone

_LONGEST_SEARCH: Final = 200
_CHIPS: Final[tuple[tuple[Bucket | None, str], ...]] = (
    (None, marked("All")),
    (Bucket.IN_VK, marked("In VK")),
    (Bucket.WAITING, marked("On their way")),
    (Bucket.NEEDS_YOU, marked("Need you")),
    (Bucket.NOT_SHOWN, marked("Not shown")),
    (Bucket.GONE, marked("Gone from the till")),
)


async def front(_request: web.Request) -> web.Response:
    raise web.HTTPFound("/catalog/stores")


async def show_stores(request: web.Request) -> web.Response:
    services, viewer = request.app[SERVICES], viewer_of(request)

    async def look(connection: AsyncConnection) -> tuple[bool, bool, tuple[StoreSeen, ...]]:
        seen = await connected(connection, viewer.id)
        return seen.till is not None, seen.is_reading, await browse.stores(connection, viewer.id)

    has_till, is_reading, stores = await services.database.read(look)
    context = {
        "stores": [(store, store_state(request, store)) for store in stores],
        "shown": sum(store.is_on for store in stores),
        "has_till": has_till,
        "is_reading": is_reading,
        "path": store_path,
    }
    return await page(request, "catalog/stores.html", context)


@dataclass(frozen=True, slots=True)
class StoreWords:
    """What is to be said of a store's last reading."""

    tone: Tone
    pill: str
    text: str = ""


def store_state(request: web.Request, store: StoreSeen) -> StoreWords:
    say, form = request[WORDS].gettext, request[FORMAT]
    reading = store.reading
    read_at = max(filter(None, (reading.full_at, reading.delta_at)), default=None) if reading is not None else None
    if reading is None or (read_at is None and reading.state is StoreState.OK):
        return StoreWords(Tone.WE, say("Not read yet"))
    when = say("as of %(time)s", time=form.moment(read_at).text) if read_at is not None else ""
    if reading.state is StoreState.OK:
        return StoreWords(Tone.OK, say("Read"), _at(form, read_at, say))
    later = say("We ask again %(time)s.", time=form.moment(reading.retry_at).text) if reading.retry_at else ""
    if reading.state is StoreState.UNPAID:
        text = say(
            "In Evotor, EvoSync is not on all tills of this store, or there are more tills than were paid for. "
            "Its listings stay as they are."
        )
        return StoreWords(Tone.YOU, say("Not paid"), f"{text} {later}".strip())
    if reading.state is StoreState.HELD:
        text = say(
            "The till's list came incomplete or suddenly empty. We hide and delete nothing, and read it once more."
        )
        return StoreWords(Tone.WE, say("Being checked"), f"{text} {when}".strip())
    card = card_of(reading.code)
    language = request[WORDS].language.value
    text = card.title.said(language, name=store.name) + "." if card is not None else ""
    return StoreWords(card.tone if card is not None else Tone.WE, say("Could not be read"), f"{text} {later}".strip())


def _at(form: Any, at: datetime | None, say: Callable[..., str]) -> str:
    return say("read %(ago)s", ago=form.ago(at).text) if at is not None else ""


def _store_of(request: web.Request) -> StoreId:
    return StoreId(plain(request.match_info["id"]))


async def _store(connection: AsyncConnection, user: UserId, ident: StoreId) -> StoreNamed:
    """Raises 404 for a store that this owner does not have."""
    found = await browse.store(connection, user, ident)
    if found is None:
        raise web.HTTPNotFound
    return found


async def show_groups(request: web.Request) -> web.Response:
    services, viewer, ident = request.app[SERVICES], viewer_of(request), _store_of(request)

    async def look(connection: AsyncConnection) -> tuple[StoreNamed, tuple[GroupSeen, ...]]:
        store = await _store(connection, viewer.id, ident)
        return store, await browse.groups(connection, viewer.id, ident)

    store, groups = await services.database.read(look)
    shown = [group for group in groups if group.is_on]
    context = {
        "store": store,
        "groups": [group for group in groups if not group.is_new],
        "new": [group for group in groups if group.is_new],
        "all": groups,
        "shown": shown,
        "products": sum(group.products for group in shown),
        "has_started": store.has_started,
        "path": store_path,
        "group_path": group_path,
        "list_path": list_path,
        "spelled": segment,
        "Bucket": Bucket,
        "title": lambda group: title_of(request, group),
    }
    return await page(request, "catalog/groups.html", context)


def title_of(request: web.Request, group: GroupSeen) -> str:
    return group.name if group.id != ROOT else request[WORDS].gettext("No group")


def list_path(store: StoreId, **values: str | None) -> str:
    """The list of a store's products. A group is spelled as in a path, so that the root has a spelling too."""
    return with_query(store_path(store, "products"), {name: value for name, value in values.items() if value})


async def decide_groups(request: web.Request) -> web.Response:
    """All groups of a store at once (`all`), or those that appear later (`new`): each carries the wanted state."""
    form = await request.post()
    ident, user, at = _store_of(request), viewer_of(request).id, request[CLIENT].at
    work: Callable[[AsyncConnection], Awaitable[None]]
    if (wanted := form.get("all")) in {"0", "1"}:
        work = lambda connection: switches.flip_all(connection, user, on=wanted == "1", store=ident, at=at)  # noqa: E731 - one of two
    elif (later := form.get("new")) in {"0", "1"}:
        work = lambda connection: switches.decide_new(connection, user, on=later == "1", store=ident, at=at)  # noqa: E731 - one of two
    else:
        raise web.HTTPBadRequest
    try:
        await request.app[SERVICES].database.write(work)
    except Unknown:
        raise web.HTTPNotFound from None
    text = request[WORDS].gettext("Saved")
    if wants_json(request):
        return answer({"text": text})
    await session.say(request, text)
    raise web.HTTPSeeOther(store_path(ident, "groups"))


async def toggle_store(request: web.Request) -> web.Response:
    ident, user = _store_of(request), viewer_of(request).id
    store = await request.app[SERVICES].database.read(lambda connection: _store(connection, user, ident))
    on = await _wanted(request)
    words = request[WORDS]
    text = (
        words.gettext("%(name)s will be shown", name=store.name)
        if on
        else words.gettext("%(name)s: left as it is from now on", name=store.name)
    )
    return await _flipped(request, ident, None, on=on, text=text, default="/catalog/stores")


async def toggle_group(request: web.Request) -> web.Response:
    ident, group = _store_of(request), GroupId(plain(request.match_info["gid"]))
    user = viewer_of(request).id

    async def look(connection: AsyncConnection) -> str:
        await _store(connection, user, ident)
        shelves = await browse.shelves_of(connection, user, ident)
        if group != ROOT and group not in shelves:
            raise web.HTTPNotFound
        return shelves.name(group)

    words = request[WORDS]
    name = await request.app[SERVICES].database.read(look) or words.gettext("No group")
    on = await _wanted(request)
    text = (
        words.gettext("%(name)s will be shown", name=name)
        if on
        else words.gettext("%(name)s: left as it is from now on", name=name)
    )
    return await _flipped(request, ident, group, on=on, text=text, default=store_path(ident, "groups"))


async def _wanted(request: web.Request) -> bool:
    wanted = (await request.post()).get("on")
    if wanted not in {"0", "1"}:
        raise web.HTTPBadRequest
    return wanted == "1"


async def _flipped(
    request: web.Request, store: StoreId, group: GroupId | None, *, on: bool, text: str, default: str
) -> web.Response:
    user, at = viewer_of(request).id, request[CLIENT].at
    try:
        await request.app[SERVICES].database.write(
            lambda connection: switches.flip(connection, user, on=on, store=store, group=group, at=at)
        )
    except Unknown:
        raise web.HTTPNotFound from None  # gone from the till a moment ago
    if wants_json(request):
        return answer({"on": on, "text": text})
    await session.say(request, text)
    raise web.HTTPSeeOther(came_from(request, within="/catalog/stores", default=default))


async def show_products(request: web.Request) -> web.Response:
    services, viewer, ident = request.app[SERVICES], viewer_of(request), _store_of(request)
    find = _find_of(request)

    async def look(connection: AsyncConnection) -> tuple[StoreNamed, browse.Shelves, browse.ProductPage]:
        store = await _store(connection, viewer.id, ident)
        shelves = await browse.shelves_of(connection, viewer.id, ident)
        return store, shelves, await browse.products(connection, viewer.id, ident, shelves, find)

    store, shelves, found = await services.database.read(look)
    language = request[WORDS].language.value
    chosen = {"g": segment(find.group) if find.group is not None else None, "q": find.text or None}
    state = find.bucket.value if find.bucket is not None else None
    context = {
        "store": store,
        "found": found,
        "find": find,
        "groups": [(segment(ROOT), request[WORDS].gettext("No group")), *((segment(g.id), g.name) for g in shelves)],
        "group": chosen["g"],
        "state": state,
        "chips": [
            (
                request[WORDS].gettext(text),
                found.matches if bucket is None else found.counts.get(bucket, 0),
                list_path(ident, **chosen, state=bucket.value if bucket is not None else None),
                bucket is find.bucket,
            )
            for bucket, text in _CHIPS
            if bucket in {None, Bucket.IN_VK, find.bucket} or found.counts.get(bucket, 0)
        ],
        "rows": [_row(product, store, language, request) for product in found.products],
        "back": list_path(ident, **chosen, state=state, page=str(found.number - 1)) if found.number > 1 else "",
        "next": (
            list_path(ident, **chosen, state=state, page=str(found.number + 1)) if found.number < found.pages else ""
        ),
        "path": store_path,
        "all_path": list_path(ident),
    }
    return await page(request, "catalog/products.html", context)


def _find_of(request: web.Request) -> Find:
    """What the address asks for; what makes no sense in it counts as not asked for."""
    query = request.query
    number = query.get("page", "1")
    state = query.get("state", "")
    return Find(
        group=GroupId(plain(query["g"])) if query.get("g") else None,
        text=query.get("q", "").strip()[:_LONGEST_SEARCH],
        bucket=Bucket(state) if state in set(Bucket) else None,
        number=int(number) if number.isascii() and number.isdecimal() and len(number) < 9 else 1,
    )


@dataclass(frozen=True, slots=True)
class Row:
    """A product as its line says it."""

    name: str
    sub: str
    price: str
    tone: Tone
    pill: str
    reason: str
    link: str = ""
    link_text: str = ""
    symbol: str = "ext"


def _row(product: ProductSeen, store: StoreNamed, language: str, request: web.Request) -> Row:
    words, form = request[WORDS], request[FORMAT]
    code = words.gettext("code %(code)s", code=product.code) if product.code else ""
    sub = " · ".join(filter(None, (product.group or words.gettext("No group"), code)))
    price = form.price(product.kopecks)
    if product.status is None:
        return Row(product.name, sub, price, Tone.WE, words.gettext("Not compared yet"), "")
    said = STATUSES[product.status.standing]
    reason = reason_of(product.status, language, **_names(product.status, store, request))
    link, link_text, symbol = "", "", "ext"
    if product.status.standing in NEEDS_OWNER:
        link, link_text, symbol = "/sync/problems", words.gettext("What to do"), "right"
    elif product.item is not None and store.community is not None:
        link, link_text = item_address(store.community, product.item), words.gettext("Open in VK")
    return Row(product.name, sub, price, said.tone, said.pill.said(language), reason, link, link_text, symbol)


def _names(status: Status, store: StoreNamed, request: web.Request) -> Mapping[str, object]:
    """What the sentence needs and only the page knows."""
    names: dict[str, object] = {}
    if "store" in status.values:
        names["store"] = store.name if status.values["store"] == store.id else ""
    if "until" in status.values:
        names["time"] = _clock(status.values["until"], request)
    if "limit" in status.values and status.values["limit"].isdecimal():
        names["limit"] = request[FORMAT].number(int(status.values["limit"]))
    code = status.values.get("code", "")
    card = card_of(code) if code else None
    if card is not None:
        names["title"] = card.title.said(request[WORDS].language.value)
    return names


def _clock(text: str, request: web.Request) -> str:
    try:
        return request[FORMAT].clock(datetime.fromisoformat(text))
    except ValueError:
        return ""


routes = [
    web.get("/catalog", front, name="catalog"),
    web.get("/catalog/stores", show_stores, name="stores"),
    web.get("/catalog/stores/{id}/groups", show_groups, name="groups"),
    web.post("/catalog/stores/{id}/groups", decide_groups),
    web.get("/catalog/stores/{id}/products", show_products, name="products"),
    web.post("/catalog/stores/{id}/toggle", toggle_store),
    web.post("/catalog/stores/{id}/groups/{gid}/toggle", toggle_group),
]

__all__ = ["list_path", "routes", "store_state", "title_of"]
