"""What the next run would write; nothing is written here. Before the first start, this is where it starts."""

import asyncio
from collections import OrderedDict
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from aiohttp import web
from sqlalchemy.ext.asyncio import AsyncConnection

from evosync.db import choices, history, rules
from evosync.db.history import Named
from evosync.domain.ids import UserId
from evosync.domain.mirror import Reason, RunRecord
from evosync.web.errors import VkTrouble
from evosync.web.foretold import KINDS, Change, Foretold, foretell
from evosync.web.keys import CLIENT, FORMAT, SERVICES, WORDS
from evosync.web.pages.runs import number_of
from evosync.web.receipts import field_rows, notes_seen, why_text
from evosync.web.render import page
from evosync.web.viewer import viewer_of
from evosync.words.checks import stored_card
from evosync.words.format import Format
from evosync.words.language import Words

PATIENCE: Final = 2.5
"""Seconds for which a page waits for the plan; then it says that both sides are being read, and asks again."""
LONGEST: Final = 180.0
"""Seconds after which a plan is given up."""
LASTS: Final = timedelta(minutes=5)
"""A plan older than this is made anew."""
_KEPT: Final = 32


class Previews:
    """Plans that are being made or were made just now; the oldest make room."""

    def __init__(self, *, patience: float = PATIENCE) -> None:
        self.patience = patience
        self._tasks: OrderedDict[UserId, tuple[str, asyncio.Task[Foretold | None]]] = OrderedDict()

    async def get(self, request: web.Request, user: UserId, stamp: str, *, anew: bool) -> Foretold | str | None:
        """The plan; None where there could be none; "wait" while it is being made.

        `stamp` stands for what the owner has decided: another one makes an old plan useless.
        """
        held = self._tasks.get(user)
        if held is not None and (held[0] != stamp or self._is_old(held[1], request, anew=anew)):
            self.forget(user)
            held = None
        task = held[1] if held is not None else self._begin(request, user, stamp)
        await asyncio.wait([task], timeout=self.patience)
        if not task.done():
            return "wait"
        found = task.result()
        if found is None:
            self.forget(user)
        return found

    def _is_old(self, task: "asyncio.Task[Foretold | None]", request: web.Request, *, anew: bool) -> bool:
        if not task.done():
            return False
        made = None if task.cancelled() or task.exception() is not None else task.result()
        return made is None or anew or request[CLIENT].at - made.at > LASTS

    def _begin(self, request: web.Request, user: UserId, stamp: str) -> "asyncio.Task[Foretold | None]":
        services = request.app[SERVICES]

        async def make() -> Foretold | None:
            try:
                async with asyncio.timeout(LONGEST):
                    planned = await services.preview(user)
            except TimeoutError:
                return None
            return foretell(planned, at=services.clock()) if planned is not None else None

        task = asyncio.create_task(make(), name=f"preview:{user}")
        self._tasks[user] = stamp, task
        while len(self._tasks) > _KEPT:
            _, (_, oldest) = self._tasks.popitem(last=False)
            oldest.cancel()
        return task

    def forget(self, user: UserId) -> None:
        held = self._tasks.pop(user, None)
        if held is not None:
            held[1].cancel()

    async def close(self) -> None:
        tasks = [task for _, task in self._tasks.values()]
        self._tasks.clear()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


PREVIEWS = web.AppKey("previews", Previews)


def setup(app: web.Application) -> None:
    app[PREVIEWS] = Previews()
    app.on_cleanup.append(_close)


async def _close(app: web.Application) -> None:
    await app[PREVIEWS].close()


def forget(request: web.Request, user: UserId) -> None:
    """Something was started: what would change, changes."""
    request.app[PREVIEWS].forget(user)


@dataclass(frozen=True, slots=True)
class _Ready:
    now: history.Now
    has_choice: bool
    stamp: str
    last: RunRecord | None


async def _ready(connection: AsyncConnection, user: UserId) -> _Ready:
    now = await history.now(connection, user)
    choice = await choices.load_choice(connection, user)
    own = await rules.load(connection, user)
    stamp = repr((sorted(choice.stores.items()), sorted(choice.groups.items()), own, now.community))
    return _Ready(now, any(choice.stores.values()), stamp, await history.last_run(connection, user))


async def show(request: web.Request) -> web.Response:
    services, user = request.app[SERVICES], viewer_of(request).id
    ready = await services.database.read(lambda connection: _ready(connection, user))
    if ready.now.till is None or ready.now.shop is None:
        return await page(request, "sync/preview_early.html", {"needs": "connections"})
    if not ready.has_choice:
        return await page(request, "sync/preview_early.html", {"needs": "choice"})
    found = await request.app[PREVIEWS].get(request, user, ready.stamp, anew="fresh" in request.query)
    if isinstance(found, str):
        return await page(request, "sync/preview_wait.html")
    if found is None:
        return await _without(request, user)
    return await _shown(request, user, found, ready)


async def _without(request: web.Request, user: UserId) -> web.Response:
    """Says why there is no plan, as far as the run has left word."""
    last = await request.app[SERVICES].database.read(lambda connection: history.last_run(connection, user, dry=True))
    code = last.code if last is not None and Reason.PREVIEW in last.reasons else ""
    card = stored_card(code) if code else None
    if card is not None and "VK 5xx" in card.codes:
        raise VkTrouble
    return await page(request, "sync/preview_none.html", {"card": card, "code": code})


async def _shown(request: web.Request, user: UserId, found: Foretold, ready: _Ready) -> web.Response:
    words, form = request[WORDS], request[FORMAT]
    kinds = [kind for kind in KINDS if found.of(kind)]
    asked = request.query.get("show", "")
    kind = asked if asked in kinds else (kinds[0] if kinds else "")
    changes = found.of(kind) if kind else ()
    pages = max(-(-len(changes) // history.PAGE), 1)
    number = min(number_of(request.query.get("page", "")), pages)
    part = changes[(number - 1) * history.PAGE : number * history.PAGE]
    names = await request.app[SERVICES].database.read(
        lambda connection: history.named(connection, user, [change.product for change in part])
    )
    base = f"/sync/preview?show={kind}"
    context: dict[str, Any] = {
        "found": found,
        "at": form.moment(found.at),
        "kinds": [
            (words.gettext(KINDS[one]), len(found.of(one)), f"/sync/preview?show={one}", one == kind) for one in kinds
        ],
        "kind": kind,
        "title": words.gettext(KINDS[kind]) if kind else "",
        "changes": [_seen(change, names.get(change.product), words, form) for change in part],
        "most": (found.most[0], form.change(found.most[1], found.most[2])) if found.most is not None else None,
        "notes": notes_seen(found.notes, words, form),
        "takes": _takes(found, form),
        "started": ready.now.started_at is not None,
        "paused": ready.now.paused_at is not None,
        "number": number,
        "pages": pages,
        "back": f"{base}&page={number - 1}" if number > 1 else "",
        "next": f"{base}&page={number + 1}" if number < pages else "",
    }
    return await page(request, "sync/preview.html", context)


def _takes(found: Foretold, form: Format) -> str:
    """Roughly: 3 requests a second, each with two dozen changes, or with a few new listings and their pictures."""
    seconds = (len(found.changed) + len(found.hidden)) / 24 + len(found.added) / 6
    return form.span(timedelta(seconds=seconds))


def _seen(change: Change, named: Named | None, words: Words, form: Format) -> dict[str, Any]:
    return {
        "name": named.name if named is not None else change.title,
        "sub": " · ".join(
            part for part in (named.group if named is not None else "", why_text(change.why, words)) if part
        ),
        "price": form.price(change.kopecks) if change.kopecks is not None else "",
        "album": change.album,
        "title": change.title,
        "rows": field_rows(change.fields, words, form),
    }


routes = [web.get("/sync/preview", show, name="preview")]
