"""What Evotor's cloud told us of one owner: when, what, what came of it, and a button that does it once more."""

from typing import Any, Final

from aiohttp import web
from sqlalchemy.ext.asyncio import AsyncConnection

from evosync.accounts.administration import Refused, Unknown, Why
from evosync.accounts.till_events import Replayed
from evosync.db import deliveries, people
from evosync.db.deliveries import Delivery, Kind, State
from evosync.db.people import Viewer
from evosync.domain.ids import UserId
from evosync.web.admin.desk import desk_of, number_in_path
from evosync.web.frame import Pill
from evosync.web.keys import FORMAT, SERVICES, WORDS
from evosync.web.render import page
from evosync.web.session import say
from evosync.words.language import Words, marked
from evosync.words.tone import Both, Tone

_SHOWN: Final = 100

_KINDS: Final = {
    Kind.CREATE: Both("Новый пользователь", "New user"),
    Kind.VERIFY: Both("Вход владельца", "Owner's login"),
    Kind.TOKEN: Both("Ключ кассы", "The till's key"),
    Kind.INSTALLATION: Both("Установка", "Installation"),
    Kind.SUBSCRIPTION: Both("Подписка", "Subscription"),
    Kind.STORES: Both("Магазины", "Stores"),
    Kind.PRODUCTS: Both("Товары", "Products"),
    Kind.DOCUMENTS: Both("Документы", "Documents"),
    Kind.RECEIPTS: Both("Чеки", "Receipts"),
    Kind.EVENT: Both("Событие каталога", "Catalog event"),
    Kind.DEVICES: Both("Кассовые аппараты", "Devices"),
    Kind.EMPLOYEES: Both("Сотрудники", "Employees"),
}

_STATES: Final = {
    State.WAITING: (Tone.WE, Both("Ждёт", "Waits")),
    State.DONE: (Tone.OK, Both("Сделано", "Done")),
    State.DROPPED: (Tone.OFF, Both("Не нужно", "Of no use")),
    State.REFUSED: (Tone.YOU, Both("Отказали", "Refused")),
}

_BECAME: Final = {
    Replayed.DUE: (marked("Replayed: an update is queued"), "ok"),
    Replayed.PARKED: (marked("Replayed: the till is switched off, its owner is told"), "ok"),
    Replayed.LATE: (marked("Nothing was changed: Evotor has said something newer since"), "you"),
    Replayed.NOTHING: (marked("Nothing was changed: it is so already"), "you"),
}


async def show(request: web.Request) -> web.Response:
    user = UserId(number_in_path(request))

    async def work(connection: AsyncConnection) -> tuple[Viewer | None, list[Delivery]]:
        found = await people.viewer(connection, user)
        return found, list(await deliveries.of_user(connection, user, limit=_SHOWN))

    viewer, found = await request.app[SERVICES].database.read(work)
    if viewer is None:
        raise web.HTTPNotFound
    context = {
        "person": viewer.person,
        "may_touch": desk_of(request).may_touch(viewer),
        "rows": [_row(request, delivery) for delivery in found],
    }
    return await page(request, "admin/deliveries.html", context)


def _row(request: web.Request, delivery: Delivery) -> dict[str, Any]:
    words, form = request[WORDS], request[FORMAT]
    tone, text = _STATES[delivery.state]
    code = words.gettext("answered with code %(code)s", code=delivery.code) if delivery.code is not None else ""
    return {
        "number": delivery.id,
        "kind": _KINDS[delivery.kind].said(words.language.value),
        "about": _about(delivery, words),
        "at": form.moment(delivery.received_at),
        "pill": Pill(tone, text.said(words.language.value)),
        "code": code,
        # What was refused has changed nothing, and nothing of it was kept to be done again.
        "can_replay": delivery.state is not State.REFUSED,
    }


def _about(delivery: Delivery, words: Words) -> str:
    """Ids and the cloud's own names of events: nothing else is kept."""
    facts = delivery.facts
    parts = [str(facts["type"])] if facts.get("type") else []
    if facts.get("subscription"):
        parts.append(f"{facts['subscription']} № {facts.get('number')}")
    parts += [str(store) for store in facts.get("stores", ())[:3]]
    if facts.get("products"):
        count = len(facts["products"])
        parts.append(words.ngettext("%(num)s product", "%(num)s products", count))
    return " · ".join(parts)


async def replay(request: web.Request) -> web.Response:
    user, number = UserId(number_in_path(request)), number_in_path(request, "number")
    words, queue = request[WORDS], request.app[SERVICES].queue
    try:
        became = await desk_of(request).replay(user, number)
    except Unknown:
        raise web.HTTPNotFound from None
    except Refused as refused:
        if refused.why is Why.RIGHTS:
            raise web.HTTPForbidden from None
        raise
    if became is Replayed.DUE:
        await queue.nudge(user)
    elif became is Replayed.PARKED:
        await queue.send_letters()
    text, tone = _BECAME[became]
    await say(request, words.gettext(text), tone)
    raise web.HTTPSeeOther(f"/admin/users/{user}/deliveries")


routes = [
    web.get("/admin/users/{id}/deliveries", show, name="admin-deliveries"),
    web.post("/admin/users/{id}/deliveries/{number}/replay", replay),
]

__all__ = ["routes"]
