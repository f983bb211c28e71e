"""Both connections: tested before they are kept, shown by their health and four last characters, erased at a word."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from typing import Any, Final

from aiohttp import web
from sqlalchemy.ext.asyncio import AsyncConnection
from wtforms import PasswordField, StringField

from evosync.accounts.pasted import Key, KeyRefused, NotACommunity, NotAKey, read_community, read_key
from evosync.accounts.throttle import TEST_ACCOUNT, TEST_ADDRESS
from evosync.db import browse, connections, credentials, history, mirrors, trail
from evosync.db.credentials import Connected
from evosync.domain.connection import Health
from evosync.domain.errors import CloudError, Rejected, Side, Throttled, Unavailable
from evosync.domain.guard import Finding
from evosync.domain.ids import CommunityId
from evosync.domain.mirror import Reason, Scope
from evosync.notices import EXPIRES_WITHIN
from evosync.web import session
from evosync.web.findings import values_of
from evosync.web.forms import SiteForm, at_most, blank, filled, needed
from evosync.web.keys import CLIENT, FORMAT, SERVICES, THROTTLE, WORDS
from evosync.web.paths import store_path
from evosync.web.render import answer, fragment, page
from evosync.web.services import Check, ShopFound, TillFound
from evosync.web.viewer import viewer_of
from evosync.words.checks import AFTER, CLAIMED, FAILED_STEPS, RIGHTS, STEPS, stored_card, trial_card
from evosync.words.errors import Card
from evosync.words.language import Language, marked
from evosync.words.tone import Tone

_LONGEST_KEY: Final = 4000
_NO_KEY: Final = marked("The key is empty")
_NOT_A_KEY: Final = marked("This is not a key: copy it whole, or the whole address of the page that opened")
_REFUSED: Final = marked("VK gave no key: permission was declined, or the application may not ask for it")


class TillForm(SiteForm):
    """Evotor's token."""

    access_token = PasswordField(marked("Evotor access key"), [needed(_NO_KEY), at_most(_LONGEST_KEY)], id="till-token")


class ShopForm(SiteForm):
    """A community and a token of somebody who may edit it."""

    group_id = StringField(
        marked("Community"),
        [needed(marked("Not a community: give a link, club123 or a number")), at_most(300)],
        id="shop-group",
    )
    access_token = PasswordField(marked("VK access key"), [needed(_NO_KEY), at_most(_LONGEST_KEY)], id="shop-token")


@dataclass(frozen=True, slots=True)
class Tested:
    """What a test found, ready to be shown: lines with their tones, and the card of what is wrong, if anything is."""

    side: Side
    lines: tuple[tuple[Tone, str], ...] = ()
    card: Card | None = None
    values: dict[str, str] | None = None
    code: str = ""

    @property
    def is_good(self) -> bool:
        return self.card is None

    @property
    def tone(self) -> Tone:
        return self.card.tone if self.card is not None else Tone.OK


async def show(request: web.Request) -> web.Response:
    return await _page(request)


async def _page(
    request: web.Request,
    *,
    till_form: TillForm | None = None,
    shop_form: ShopForm | None = None,
    tested: Tested | None = None,
    status: int = HTTPStatus.OK,
) -> web.Response:
    services, viewer = request.app[SERVICES], viewer_of(request)

    async def look(connection: AsyncConnection) -> tuple[Connected, tuple[browse.StoreSeen, ...], Finding | None]:
        seen = await credentials.connected(connection, viewer.id)
        is_held = seen.vk is not None and seen.vk.health is not Health.OK
        found = await history.finding(connection, viewer.id, seen.vk.reason) if seen.vk and is_held else None
        return seen, await browse.stores(connection, viewer.id), found

    seen, stores, finding = await services.database.read(look)
    if shop_form is None:
        number = seen.community
        shop_form = blank(ShopForm, request, data={"group_id": f"club{number}" if number else ""})
    now = request[CLIENT].at
    context: dict[str, Any] = {
        "seen": seen,
        "stores": stores,
        "products": sum(store.products for store in stores),
        "store_names": quoted(request, [store.name for store in stores]),
        "choose_path": store_path(stores[0].id, "groups") if len(stores) == 1 else "/catalog/stores",
        "shown": [store for store in stores if store.is_on and store.shown_groups],
        "till_form": till_form or blank(TillForm, request),
        "shop_form": shop_form,
        "tested": tested,
        "tested_till": tested is not None and tested.side is Side.EVOTOR,
        "tested_shop": tested is not None and tested.side is Side.VK,
        "open_till": till_form is not None,
        "open_shop": shop_form.errors or (tested is not None and tested.side is Side.VK and status != HTTPStatus.OK),
        "step": current_step(seen, stores),
        "broken_till": _broken(request, seen.till),
        "broken_shop": _broken(request, seen.vk, finding),
        "ends_soon": _ends_soon(seen, now),
        "has_ended": bool(seen.shop and seen.shop.expires_at and seen.shop.expires_at <= now),
    }
    return await page(request, "connections/connections.html", context, status=status)


def current_step(seen: Connected, stores: tuple[browse.StoreSeen, ...]) -> int:
    """Of the five first steps, the one that is next; 0 once the mirror was started."""
    if seen.started_at is not None:
        return 0
    if seen.till is None:
        return 1
    if seen.vk is None:
        return 2
    return 4 if any(store.is_on and store.shown_groups for store in stores) else 3


def _broken(request: web.Request, key: credentials.KeySeen | None, finding: Finding | None = None) -> Tested | None:
    if key is None or key.health is Health.OK:
        return None
    values = values_of(finding, request[FORMAT])
    if key.reason_at is not None:
        values["time"] = request[FORMAT].clock(key.reason_at)
    return Tested(Side.EVOTOR, card=stored_card(key.reason), values=values, code=key.reason)


def _ends_soon(seen: Connected, now: datetime) -> bool:
    return seen.shop is not None and seen.shop.expires_at is not None and seen.shop.expires_at - now <= EXPIRES_WITHIN


async def connect_till(request: web.Request) -> web.Response:
    services, client, viewer = request.app[SERVICES], request[CLIENT], viewer_of(request)
    form = await filled(TillForm, request)
    key = _key_of(form) if form.validate() else None
    if key is None:
        return await _page(request, till_form=form, status=HTTPStatus.UNPROCESSABLE_ENTITY)
    await _take(request)
    try:
        found = await services.test_till(key.secret)
    except CloudError as error:
        tested = till_failed(request, error, is_trial=True)
        return await _page(request, till_form=form, tested=tested, status=_status(error))

    async def keep(connection: AsyncConnection) -> None:
        await connections.save_evotor(
            connection,
            viewer.id,
            key.secret,
            till_user=found.till_user or None,
            sealer=services.sealer,
            at=client.at,
        )
        await _kept(request, connection, "evotor_connected")

    try:
        await services.database.write(keep)
    except connections.Claimed:
        return await _page(request, till_form=form, tested=_claimed(Side.EVOTOR), status=HTTPStatus.CONFLICT)
    await services.queue.nudge(viewer.id)
    await session.say(request, request[WORDS].gettext("The till is connected"))
    raise web.HTTPSeeOther("/connections")


async def connect_shop(request: web.Request) -> web.Response:
    services, client, viewer = request.app[SERVICES], request[CLIENT], viewer_of(request)
    form = await filled(ShopForm, request)
    is_good = form.validate()
    key = _key_of(form) if form.text("access_token") else None
    community = _community_of(form) if form.text("group_id").strip() else None
    if not is_good or key is None or community is None:
        return await _page(request, shop_form=form, status=HTTPStatus.UNPROCESSABLE_ENTITY)
    await _take(request)
    found = await services.test_shop(key.secret, community)
    number = found.community or (community if not isinstance(community, str) else None)
    if found.error is not None or number is None:
        tested = shop_tested(request, found, is_trial=True)
        return await _page(request, shop_form=form, tested=tested, status=_status(found.error))

    async def keep(connection: AsyncConnection) -> None:
        await connections.save_vk(
            connection,
            viewer.id,
            key.secret,
            community=number,
            name=found.values.get("community", ""),
            vk_user_id=found.vk_user_id,
            expires_at=key.expires_at(client.at),
            sealer=services.sealer,
            at=client.at,
        )
        await _kept(request, connection, "vk_connected")

    try:
        await services.database.write(keep)
    except connections.Claimed:
        return await _page(request, shop_form=form, tested=_claimed(Side.VK), status=HTTPStatus.CONFLICT)
    await services.queue.nudge(viewer.id)
    await session.say(request, request[WORDS].gettext("VK is connected"))
    raise web.HTTPSeeOther("/connections")


async def _kept(request: web.Request, connection: AsyncConnection, action: str) -> None:
    """A run reads both sides anew; it writes nothing before the owner's start."""
    client, user = request[CLIENT], viewer_of(request).id
    await mirrors.want(connection, user, scope=Scope.FULL, reason=Reason.CONNECTED, at=client.at)
    await trail.record(connection, action, actor=user, user=user, at=client.at, address=client.address)


def _key_of(form: SiteForm) -> Key | None:
    """None with the reason beside the field."""
    try:
        return read_key(form.text("access_token"))
    except KeyRefused:
        form.complain("access_token", _REFUSED)
    except NotAKey:
        form.complain("access_token", _NOT_A_KEY)
    return None


def _community_of(form: SiteForm) -> CommunityId | str | None:
    try:
        return read_community(form.text("group_id"))
    except NotACommunity:
        form.complain("group_id", marked("Not a community: give a link, club123 or a number"))
    return None


async def _take(request: web.Request) -> None:
    """A test asks somebody else's server. Raises `TooFast`."""
    throttle = request.app[THROTTLE]
    await throttle.take(TEST_ACCOUNT, viewer_of(request).id)
    await throttle.take(TEST_ADDRESS, request[CLIENT].address)


def _status(error: CloudError | None) -> int:
    away = isinstance(error, Unavailable | Throttled)
    return HTTPStatus.SERVICE_UNAVAILABLE if away else HTTPStatus.UNPROCESSABLE_ENTITY


def _claimed(side: Side) -> Tested:
    return Tested(side, card=CLAIMED[side.value])


def quoted(request: web.Request, names: Sequence[str]) -> str:
    """a, b and c, each between quotes."""
    left, right = ("«", "»") if request[WORDS].language is Language.RU else ("“", "”")
    return request[FORMAT].list([f"{left}{name}{right}" for name in names])


def till_found(request: web.Request, found: TillFound) -> Tested:
    words = request[WORDS]
    names = quoted(request, found.stores)
    text = words.ngettext(
        "Found %(num)s store: %(names)s", "Found %(num)s stores: %(names)s", len(found.stores), names=names
    )
    lines = [(Tone.OK, words.gettext("The key works")), (Tone.OK, text)]
    return Tested(Side.EVOTOR, tuple(lines))


def till_failed(request: web.Request, error: CloudError, *, is_trial: bool) -> Tested:
    card = trial_card(error.code) if is_trial else stored_card(error.code)
    return Tested(Side.EVOTOR, card=card, values=_times(request), code=error.code)


def shop_tested(request: web.Request, found: ShopFound, *, is_trial: bool) -> Tested:
    """The five steps: those that are good, the one that is not, and those after it."""
    language = request[WORDS].language.value
    values = {name: value for name, value in found.values.items() if value}
    if "scope" in values:
        scopes = [RIGHTS[scope].said(language) if scope in RIGHTS else scope for scope in values["scope"].split(",")]
        values["scope"] = ", ".join(scopes)
    values |= _counted(request, values)
    lines = [(Tone.OK, STEPS[check.value].said(language, **values)) for check in Check if check in found.passed]
    missed = [check for check in Check if check not in found.passed]
    if found.error is not None and missed:
        lines.append((Tone.YOU, FAILED_STEPS[missed[0].value].said(language)))
        if missed[1:]:
            lines.append((Tone.OFF, AFTER.said(language)))
    if found.error is None:
        return Tested(Side.VK, tuple(lines))
    code = found.error.code
    card = trial_card(code) if is_trial else stored_card(code)
    return Tested(Side.VK, tuple(lines), card, values | _times(request), code)


def _counted(request: web.Request, values: Mapping[str, str]) -> dict[str, str]:
    """Listings and collections as people count them."""
    words, form = request[WORDS], request[FORMAT]
    said: dict[str, str] = {}
    if (items := values.get("items", "")).isdecimal():
        count = form.number(int(items))
        said["items"] = words.ngettext("%(count)s listing", "%(count)s listings", int(items), count=count)
    if (albums := values.get("albums", "")).isdecimal():
        count = form.number(int(albums))
        said["albums"] = words.ngettext("%(count)s collection", "%(count)s collections", int(albums), count=count)
    return said


def _times(request: web.Request) -> dict[str, str]:
    return {"time": request[FORMAT].clock(request[CLIENT].at)}


async def test_till(request: web.Request) -> web.Response:
    services, viewer = request.app[SERVICES], viewer_of(request)
    stored = await services.database.read(
        lambda connection: credentials.stored(connection, viewer.id, Side.EVOTOR, services.sealer)
    )
    if stored is None:
        raise web.HTTPNotFound
    await _take(request)
    if stored.token is None:
        return await _tell(request, _unreadable(Side.EVOTOR))
    try:
        found = await services.test_till(stored.token.secret)
    except CloudError as error:
        return await _tell(request, till_failed(request, error, is_trial=False), heard=error)
    return await _tell(request, till_found(request, found), found={"stores": list(found.stores)})


async def test_shop(request: web.Request) -> web.Response:
    services, viewer = request.app[SERVICES], viewer_of(request)
    stored = await services.database.read(
        lambda connection: credentials.stored(connection, viewer.id, Side.VK, services.sealer)
    )
    if stored is None or stored.community is None:
        raise web.HTTPNotFound
    await _take(request)
    if stored.token is None:
        return await _tell(request, _unreadable(Side.VK))
    found = await services.test_shop(stored.token.secret, stored.community)
    told = {name: found.values[name] for name in ("community", "currency", "items", "albums") if found.values.get(name)}
    return await _tell(request, shop_tested(request, found, is_trial=False), found=told, heard=found.error)


def _unreadable(side: Side) -> Tested:
    return Tested(side, card=stored_card(connections.UNREADABLE), code=connections.UNREADABLE)


async def _tell(
    request: web.Request, tested: Tested, *, found: dict[str, Any] | None = None, heard: CloudError | None = None
) -> web.Response:
    """In place for a script; a browser without one gets the page with it.

    A key that works again is well at once. One that is refused is looked at by a run, which tells the owner too.
    """
    services, client, viewer = request.app[SERVICES], request[CLIENT], viewer_of(request)
    if tested.is_good or isinstance(heard, Rejected):

        async def note(connection: AsyncConnection) -> bool:
            seen = await credentials.connected(connection, viewer.id)
            key = seen.till if tested.side is Side.EVOTOR else seen.vk
            if key is None or (key.health is Health.OK) is tested.is_good:
                return False
            if tested.is_good:
                await connections.mend_one(connection, viewer.id, tested.side)
            await mirrors.want(connection, viewer.id, scope=Scope.FULL, reason=Reason.CONNECTED, at=client.at)
            return True

        if await services.database.write(note):
            await services.queue.nudge(viewer.id)
    if "text/html" in request.headers.get("Accept", ""):
        return await _page(request, tested=tested)
    body: dict[str, Any] = {
        "ok": tested.is_good,
        "lines": [{"tone": tone.value, "text": text} for tone, text in tested.lines],
        "found": found or {},
        "html": fragment(request, "connections/tested.html", {"tested": tested}),
    }
    if tested.card is not None:
        said = {
            part: getattr(tested.card, part).said(request[WORDS].language.value, **(tested.values or {}))
            for part in ("title", "cause", "does", "you")
        }
        body["problem"] = {**said, "tone": tested.card.tone.value, "code": tested.code}
    return answer(body)


async def disconnect_till(request: web.Request) -> web.Response:
    """A repeat changes nothing."""
    return await _disconnect(request, Side.EVOTOR)


async def disconnect_shop(request: web.Request) -> web.Response:
    return await _disconnect(request, Side.VK)


async def _disconnect(request: web.Request, side: Side) -> web.Response:
    client, user = request[CLIENT], viewer_of(request).id
    is_till = side is Side.EVOTOR

    async def erase(connection: AsyncConnection) -> bool:
        seen = await credentials.connected(connection, user)
        if (seen.till if is_till else seen.vk) is None:
            return False
        await (connections.disconnect_evotor if is_till else connections.disconnect_vk)(connection, user)
        action = f"{side.value}_disconnected"
        await trail.record(connection, action, actor=user, user=user, at=client.at, address=client.address)
        return True

    if await request.app[SERVICES].database.write(erase):
        say = request[WORDS].gettext
        text = (
            say("The till is disconnected, its key is erased")
            if is_till
            else say("VK is disconnected, its key is erased")
        )
        await session.say(request, text)
    raise web.HTTPSeeOther("/connections")


routes = [
    web.get("/connections", show, name="connections"),
    web.post("/connections/evotor", connect_till),
    web.post("/connections/evotor/disconnect", disconnect_till),
    web.post("/connections/evotor/test", test_till),
    web.post("/connections/vk", connect_shop),
    web.post("/connections/vk/disconnect", disconnect_shop),
    web.post("/connections/vk/test", test_shop),
]

__all__ = ["Tested", "current_step", "routes"]
