"""Products that wait for their owner, grouped by cause, with what to do; and what EvoSync waits for by itself."""

from dataclasses import dataclass
from typing import Any, Final

from aiohttp import web
from sqlalchemy.ext.asyncio import AsyncConnection

from evosync.db import history, mirrors, tills, troubles
from evosync.db.history import Fresh, Named, Now
from evosync.db.troubles import Cause
from evosync.domain.connection import Health
from evosync.domain.ids import ItemId, ProductId, StoreId
from evosync.domain.mirror import Reason, Scope, StoreState
from evosync.domain.status import Standing
from evosync.web import session
from evosync.web.findings import values_of
from evosync.web.keys import CLIENT, FORMAT, SERVICES, WORDS
from evosync.web.pages.preview import forget
from evosync.web.pages.runs import number_of
from evosync.web.render import page
from evosync.web.signs import card_address
from evosync.web.viewer import viewer_of
from evosync.words.causes import cause_card
from evosync.words.checks import stored_card
from evosync.words.errors import Action, Card, card_of
from evosync.words.format import Format
from evosync.words.language import Words, marked
from evosync.words.statuses import KINDS, field_name
from evosync.words.tone import Both

_LONGEST_ID: Final = 100


@dataclass(frozen=True, slots=True)
class CaseSeen:
    """One card of the page. `more` leads to all its products, where not all are named."""

    id: str
    card: Card
    values: dict[str, str]
    count: str
    link: str
    code: str = ""
    cause: str = ""
    products: tuple[tuple[ProductId, Named], ...] = ()
    more: str = ""
    chooses: bool = False


@dataclass(frozen=True, slots=True)
class _Found:
    now: Now
    fresh: Fresh
    causes: tuple[Cause, ...]
    stores: dict[StoreId, str]


async def _look(request: web.Request) -> _Found:
    user = viewer_of(request).id

    async def look(connection: AsyncConnection) -> _Found:
        return _Found(
            await history.now(connection, user),
            await history.fresh(connection, user),
            await troubles.causes(connection, user),
            {store.id: store.name for store in await tills.stores(connection, user)},
        )

    return await request.app[SERVICES].database.read(look)


async def show(request: web.Request) -> web.Response:
    words, form = request[WORDS], request[FORMAT]
    wanted = request.query.get("cause", "")
    if wanted:
        return await _one(request, wanted)
    found = await _look(request)
    context = {
        "fresh": found.fresh,
        "started": found.now.started_at is not None,
        "waiting": sum(cause.count for cause in found.causes),
        "sides": [*_broken(request, found), *_unread(request, found)],
        "cases": [_case(request, cause, found.now, found.stores) for cause in found.causes],
        "resting": _resting(request, found, words, form),
    }
    return await page(request, "sync/problems.html", context)


async def _one(request: web.Request, key: str) -> web.Response:
    """All products of one cause."""
    user, number = viewer_of(request).id, number_of(request.query.get("page", ""))

    async def look(connection: AsyncConnection) -> tuple[Now, Cause | None, dict[StoreId, str]]:
        return (
            await history.now(connection, user),
            await troubles.cause(connection, user, key, page=number),
            {store.id: store.name for store in await tills.stores(connection, user)},
        )

    now, cause, stores = await request.app[SERVICES].database.read(look)
    if cause is None:
        raise web.HTTPSeeOther("/sync/problems")  # solved meanwhile
    pages = max(-(-cause.count // history.PAGE), 1)
    base = f"/sync/problems?cause={cause.key}"
    context = {
        "case": _case(request, cause, now, stores),
        "number": number,
        "pages": pages,
        "back": f"{base}&page={number - 1}" if number > 1 else "",
        "next": f"{base}&page={number + 1}" if number < pages else "",
    }
    return await page(request, "sync/cause.html", context)


def _count(count: int, words: Words, form: Format) -> str:
    return words.ngettext("%(num)s product", "%(num)s products", count, num=form.number(count))


def _case(request: web.Request, cause: Cause, now: Now, stores: dict[StoreId, str]) -> CaseSeen:
    words, form = request[WORDS], request[FORMAT]
    language = words.language.value
    card = cause_card(cause.status)
    values = dict(cause.status.values)
    if "kind" in values:
        values["kind"] = KINDS.get(values["kind"], Both("такие товары", "such goods")).said(language)
    if "field" in values:
        values["field"] = field_name(values["field"]).said(language)
    if "limit" in values:
        values["n"] = form.number(int(values["limit"])) if values["limit"].isdecimal() else values["limit"]
    if "store" in values:
        values["name"] = stores.get(StoreId(values["store"]), values["store"])
    retries = card.action in {Action.CHECK_AGAIN, Action.READ_TILL}
    site = request.app[SERVICES].site
    return CaseSeen(
        id=cause.key.replace(".", "-"),
        card=card,
        values=values,
        count=_count(cause.count, words, form),
        link="" if retries else card_address(card, support=site.support, community=now.community),
        code=values.get("code", ""),
        cause=cause.key,
        products=cause.products,
        more=f"/sync/problems?cause={cause.key}" if cause.count > len(cause.products) else "",
        chooses=cause.status.standing is Standing.SAME_TITLE,
    )


def _broken(request: web.Request, found: _Found) -> list[CaseSeen]:
    """A connection that does not work stops all products, so it comes first."""
    form, site = request[FORMAT], request.app[SERVICES].site
    cases = []
    for name, key in (("till", found.now.till), ("shop", found.now.shop)):
        if key is not None and key.health is not Health.OK:
            card = stored_card(key.reason)
            values = values_of(found.now.finding, form)
            if key.since is not None:
                values["time"] = form.moment(key.since).text
            link = card_address(card, support=site.support, community=found.now.community)
            cases.append(CaseSeen(name, card, values, "", link, code=key.reason))
    return cases


def _unread(request: web.Request, found: _Found) -> list[CaseSeen]:
    """Stores whose last reading failed or is doubted."""
    site, cases = request.app[SERVICES].site, []
    for place, (store, reading) in enumerate(sorted(found.now.readings.items())):
        if reading.state is StoreState.OK or store not in found.stores:
            continue
        code = {StoreState.UNPAID: "Evotor 402", StoreState.HELD: "incomplete"}.get(reading.state, reading.code)
        card = card_of(code)
        if card is not None:
            link = card_address(card, support=site.support, community=None) if card.action is Action.OPEN_STORES else ""
            cases.append(
                CaseSeen(f"store-{place}", card, {"name": found.stores[store]}, found.stores[store], link, code=code)
            )
    return cases


def _resting(request: web.Request, found: _Found, words: Words, form: Format) -> list[CaseSeen]:
    """What VK has stopped for a while: nobody's fault, and nothing to do."""
    cases = []
    at = request[CLIENT].at
    for place, (_, pause) in enumerate(sorted(found.now.pauses.items())):
        card = card_of(pause.code) if pause.until > at else None
        if card is not None:
            values = {"time": words.gettext("until %(time)s", time=form.clock(pause.until))}
            link = card_address(card, support="", community=found.now.community)
            cases.append(CaseSeen(f"rest-{place}", card, values, "", link, code=pause.code))
    return cases


async def retry(request: web.Request) -> web.Response:
    """Tries again what was refused, and reads everything anew: of one cause, or of all."""
    services, user, client = request.app[SERVICES], viewer_of(request).id, request[CLIENT]
    key = str((await request.post()).get("cause", ""))

    async def work(connection: AsyncConnection) -> str:
        now = await history.now(connection, user)
        if now.till is None:
            return ""
        if now.community is not None:
            await troubles.retry(connection, user, now.community, key)
        await mirrors.want(connection, user, scope=Scope.FULL, reason=Reason.RETRY, at=client.at)
        return "/sync/problems"

    place = await services.database.write(work)
    if not place:
        await session.say(request, request[WORDS].gettext("Connect the till and VK first"), "you")
        raise web.HTTPSeeOther("/connections")
    forget(request, user)
    await services.queue.nudge(user)
    await session.say(request, request[WORDS].gettext("We try again with the next update, in a few seconds"))
    raise web.HTTPSeeOther(place)


async def _asked(request: web.Request, product: ProductId) -> tuple[Now, tuple[Named, Any] | None]:
    user = viewer_of(request).id

    async def look(connection: AsyncConnection) -> tuple[Now, tuple[Named, Any] | None]:
        now = await history.now(connection, user)
        if now.community is None:
            return now, None
        return now, await troubles.same_titled(connection, user, now.community, product)

    return await request.app[SERVICES].database.read(look)


async def ask_which(request: web.Request) -> web.Response:
    """Which listing is this product's? One of the owner's, or none of them."""
    product = ProductId(request.query.get("product", "")[:_LONGEST_ID])
    now, found = await _asked(request, product)
    if found is None:
        raise web.HTTPNotFound
    named, listings = found
    context = {"product": product, "named": named, "listings": listings, "community": now.community}
    return await page(request, "sync/which.html", context)


async def choose(request: web.Request) -> web.Response:
    services, user, client = request.app[SERVICES], viewer_of(request).id, request[CLIENT]
    sent = await request.post()
    product = ProductId(str(sent.get("product", ""))[:_LONGEST_ID])
    text = str(sent.get("item", ""))
    if text != "new" and not (text.isascii() and text.isdecimal() and len(text) < 19):
        raise web.HTTPBadRequest
    item = None if text == "new" else ItemId(int(text))

    async def work(connection: AsyncConnection) -> bool:
        now = await history.now(connection, user)
        if now.community is None or not await troubles.choose(connection, user, now.community, product, item):
            return False
        await mirrors.want(connection, user, scope=Scope.FULL, reason=Reason.CHOICE, at=client.at)
        return True

    if not await services.database.write(work):
        raise web.HTTPNotFound
    forget(request, user)
    await services.queue.nudge(user)
    await session.say(
        request,
        request[WORDS].gettext(
            marked("A new listing will be made") if item is None else marked("This listing will follow the product")
        ),
    )
    raise web.HTTPSeeOther("/sync/problems")


routes = [
    web.get("/sync/problems", show, name="problems"),
    web.post("/sync/problems/retry", retry),
    web.get("/sync/problems/listing", ask_which, name="which-listing"),
    web.post("/sync/problems/listing", choose),
]
