"""Home: is the shop as the till is, how far is it, what was lately; run, pause, go on."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median
from typing import Any, Final

from aiohttp import web
from sqlalchemy.ext.asyncio import AsyncConnection

from evosync.db import choices, history, runs, trail
from evosync.db import mirrors as due
from evosync.db.history import Fresh, Now
from evosync.domain.ids import UserId
from evosync.domain.mirror import Outcome, Reason, RunRecord, Scope, Step
from evosync.web import session
from evosync.web.keys import CLIENT, FORMAT, SERVICES, WORDS
from evosync.web.live import LIVE, ON, events
from evosync.web.pages.preview import forget
from evosync.web.pictures import Bar, gathered
from evosync.web.receipts import changed_by, is_quiet, run_bar, run_seen
from evosync.web.render import answer, page
from evosync.web.services import Services
from evosync.web.signs import View, card_address, sign_of
from evosync.web.standing import SyncState, days_left, is_running, seen_of, state_of, steps_of
from evosync.web.viewer import viewer_of
from evosync.words.format import Format
from evosync.words.language import Words, marked

DRAWN: Final = 24
LISTED: Final = 6
_A_DAY: Final = timedelta(days=1)
_A_DOUBLE_CLICK: Final = timedelta(seconds=5)


@dataclass(frozen=True, slots=True)
class Home:
    """All that the page is made from."""

    view: View
    records: list[RunRecord]
    count: int


async def _look(connection: AsyncConnection, user: UserId, services: Services, at: datetime) -> Home:
    now = await history.now(connection, user)
    state = state_of(now, at)
    fresh = await history.fresh(connection, user)
    records = await runs.latest(connection, user, DRAWN)
    last = next((record for record in records if record.finished_at is not None), None)
    has_stores, has_groups = await choices.are_on(connection, user)
    view = View(
        now=now,
        state=state,
        fresh=fresh,
        at=at,
        last=last,
        ahead=await _ahead(connection, now, state, at),
        has_choice=has_stores and (bool(fresh.shown) or has_groups),
        pauses=tuple(now.pauses.values()),
        creates_take=await _creates_take(connection, user, now, fresh, services, at),
        unpaid=await history.unpaid_store(connection, user, now),
    )
    return Home(view, records, await history.count_runs(connection, user))


async def _ahead(connection: AsyncConnection, now: Now, state: SyncState, at: datetime) -> int:
    if state is not SyncState.QUEUED or now.wanted_at is None:
        return 0
    return await due.ahead(connection, now.wanted_at, at)


async def _creates_take(
    connection: AsyncConnection, user: UserId, now: Now, fresh: Fresh, services: Services, at: datetime
) -> timedelta | None:
    """Days, where the operator limits new listings a day, or VK has stopped them: then at the pace of the last day."""
    if not fresh.creates or now.community is None:
        return None
    limit = services.site.adds_per_day
    is_held = any(pause.until > at for method, pause in now.pauses.items() if method in {"market.add", "*"})
    if limit is None and not is_held:
        return None
    made = await history.made_since(connection, user, now.community, at - _A_DAY)
    per_day = limit if limit is not None else made
    if not per_day or (limit is not None and fresh.creates <= limit - made):
        return None
    return days_left(fresh.creates, per_day=per_day)


async def show(request: web.Request) -> web.Response:
    services, user, at = request.app[SERVICES], viewer_of(request).id, request[CLIENT].at
    words, form = request[WORDS], request[FORMAT]
    home = await services.database.read(lambda connection: _look(connection, user, services, at))
    view, now = home.view, home.view.now
    sign = sign_of(view, words, form)
    is_live = view.state in ON and (now.started_at is not None or view.state is SyncState.RUNNING)
    context = {
        "sign": sign,
        "card_link": (
            card_address(sign.card, support=services.site.support, community=now.community) if sign.card else ""
        ),
        "state": view.state,
        "now": now,
        "fresh": view.fresh,
        "bars": gathered([Bar(group.size, group.same) for group in view.fresh.groups]),
        "gaps": gaps_text(view.fresh, words, form),
        "seen": seen_of(now, view.state, request.app[LIVE].paces, words, form) if is_live else None,
        "steps": steps_of(now.going, words) if now.going is not None and view.state is SyncState.RUNNING else (),
        "runs": [run_seen(record, words, form) for record in _worth_listing(home.records)],
        "run_bars": [run_bar(record) for record in reversed(home.records)],
        "run_label": _runs_label(home.records, words, form),
        "count": home.count,
        "oldest": _oldest(view.fresh, at, form),
        "usual": _usual(home.records, form),
    }
    return await page(request, "sync/home.html", context)


def gaps_text(fresh: Fresh, words: Words, form: Format) -> str:
    """Names the groups that differ, the largest first; empty where none does."""
    late = sorted((group for group in fresh.groups if group.waiting), key=lambda group: -group.waiting)
    parts = []
    if late:
        names = [f"{group.name or words.gettext('No group')} {form.number(group.waiting)}" for group in late[:3]]
        more = len(late) - len(names)
        text = words.gettext("on its way: %(names)s", names=", ".join(names))
        if more:
            text += " " + words.ngettext("and %(num)s more group", "and %(num)s more groups", more)
        parts.append(text)
    if fresh.needs_owner:
        parts.append(
            words.ngettext(
                "%(num)s needs you", "%(num)s need you", fresh.needs_owner, num=form.number(fresh.needs_owner)
            )
        )
    return "; ".join(parts)


def _worth_listing(records: list[RunRecord]) -> list[RunRecord]:
    return ([record for record in records if not is_quiet(record)] or records)[:LISTED]


def _runs_label(records: list[RunRecord], words: Words, form: Format) -> str:
    lost = sum(record.tally.failed for record in records)
    text = words.ngettext("The last %(num)s update", "The last %(num)s updates", len(records))
    if lost:
        return f"{text}: " + words.ngettext(
            "%(num)s product did not work", "%(num)s products did not work", lost, num=form.number(lost)
        )
    return f"{text}: " + words.gettext("all carried over")


def _oldest(fresh: Fresh, at: datetime, form: Format) -> tuple[str, str] | None:
    if fresh.oldest is None:
        return None
    since, name = fresh.oldest
    return form.span(max(at - since, timedelta())), name


def _usual(records: list[RunRecord], form: Format) -> str:
    """How long it usually takes, by runs that wrote something."""
    took = [
        (record.finished_at - record.started_at).total_seconds()
        for record in records
        if record.finished_at is not None and changed_by(record) and record.outcome in {Outcome.OK, Outcome.PARTIAL}
    ]
    return form.lasted(timedelta(seconds=median(took))) if took else ""


async def run(request: web.Request) -> web.Response:
    """The first time this is the owner's start, from which on VK is written to. Twice does no more than once."""
    services, user, client = request.app[SERVICES], viewer_of(request).id, request[CLIENT]

    async def work(connection: AsyncConnection) -> tuple[str, str, str]:
        now = await history.now(connection, user)
        if now.till is None or now.shop is None:
            return "/connections", "you", marked("Connect the till and VK first")
        if now.started_at is None:
            return await _start(connection, user, request)
        if now.paused_at is not None:
            return "/sync", "you", marked("You paused it: resume first")
        if is_running(now, client.at) and now.going is not None and now.going.scope is Scope.FULL:
            # What the till or VK said before is in its plan already; a deletion there is in no delta.
            if now.going.step not in {None, Step.CATALOG}:
                await due.want(connection, user, scope=Scope.FULL, reason=Reason.ASKED, at=client.at)
            elif client.at - now.going.started_at > _A_DOUBLE_CLICK:
                await due.want(connection, user, scope=Scope.DELTA, reason=Reason.ASKED, at=client.at)
            return "/sync", "ok", marked("An update is already running")
        await due.want(connection, user, scope=Scope.FULL, reason=Reason.ASKED, at=client.at)
        return "/sync", "ok", marked("Update queued")

    place, tone, text = await services.database.write(work)
    if tone == "ok":
        forget(request, user)
        await services.queue.nudge(user)
    await session.say(request, request[WORDS].gettext(text), tone)
    raise web.HTTPSeeOther(place)


async def _start(connection: AsyncConnection, user: UserId, request: web.Request) -> tuple[str, str, str]:
    client = request[CLIENT]
    has_stores, _ = await choices.are_on(connection, user)
    if not has_stores:
        return "/catalog/stores", "you", marked("Choose first what the shop shall show")
    if await choices.start_mirror(connection, user, at=client.at):
        await due.want(connection, user, scope=Scope.FULL, reason=Reason.START, at=client.at)
        await trail.record(connection, "mirror_started", actor=user, user=user, at=client.at, address=client.address)
    return "/sync", "ok", marked("Started: the shop follows the till from now on")


async def pause(request: web.Request) -> web.Response:
    services, user, client = request.app[SERVICES], viewer_of(request).id, request[CLIENT]

    async def work(connection: AsyncConnection) -> None:
        if await choices.pause_mirror(connection, user, at=client.at):
            await trail.record(connection, "mirror_paused", actor=user, user=user, at=client.at, address=client.address)

    await services.database.write(work)
    await session.say(request, request[WORDS].gettext("Paused. Nothing is written until you resume"))
    raise web.HTTPSeeOther("/sync")


async def resume(request: web.Request) -> web.Response:
    services, user, client = request.app[SERVICES], viewer_of(request).id, request[CLIENT]

    async def work(connection: AsyncConnection) -> None:
        if await choices.resume_mirror(connection, user):
            await due.want(connection, user, scope=Scope.FULL, reason=Reason.RESUMED, at=client.at)
            await trail.record(
                connection, "mirror_resumed", actor=user, user=user, at=client.at, address=client.address
            )

    await services.database.write(work)
    await services.queue.nudge(user)
    await session.say(request, request[WORDS].gettext("The shop follows the till again"))
    raise web.HTTPSeeOther("/sync")


async def status(request: web.Request) -> web.Response:
    """For scripts: the state, how far a run is, and how the last one ended."""
    services, user, at = request.app[SERVICES], viewer_of(request).id, request[CLIENT].at

    async def look(connection: AsyncConnection) -> tuple[Now, RunRecord | None]:
        return await history.now(connection, user), await history.last_run(connection, user)

    now, last = await services.database.read(look)
    state = state_of(now, at)
    return answer(
        {
            "state": state.value,
            "progress": _progress(now, request) if state is SyncState.RUNNING else None,
            "last_run": _last_run(last) if last is not None else None,
        }
    )


def _progress(now: Now, request: web.Request) -> dict[str, Any] | None:
    going = now.going
    if going is None:
        return None
    left = request.app[LIVE].paces.left(going)
    return {
        "run": going.id,
        "step": going.step.value if going.step is not None else None,
        "done": going.done,
        "total": going.total,
        "seconds_left": round(left.total_seconds()) if left is not None else None,
    }


def _last_run(record: RunRecord) -> dict[str, Any]:
    tally = record.tally
    return {
        "id": record.id,
        "started_at": record.started_at.isoformat(),
        "finished_at": record.finished_at.isoformat() if record.finished_at is not None else None,
        "outcome": record.outcome.value if record.outcome is not None else None,
        "code": record.code,
        "created": tally.created,
        "updated": tally.updated,
        "hidden": tally.hidden,
        "shown": tally.shown,
        "unchanged": tally.unchanged,
        "skipped": tally.skipped,
        "failed": tally.failed,
    }


routes = [
    web.get("/sync", show, name="sync"),
    web.post("/sync/run", run),
    web.post("/sync/pause", pause),
    web.post("/sync/resume", resume),
    web.get("/sync/status", status, name="sync-status"),
    web.get("/sync/events", events, name="sync-events", allow_head=False),
]
