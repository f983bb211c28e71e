"""The work: what is due, what goes on, what failed, and who does it."""

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from aiohttp import web
from redis.exceptions import RedisError

from evosync.accounts.administration import Unknown
from evosync.db.admin import work as jobs
from evosync.db.admin.work import LetterProblem, Revived, WorkRow
from evosync.domain.ids import UserId
from evosync.metrics import freshness
from evosync.sync.workers import WorkerSeen
from evosync.web.admin.desk import LARGEST, desk_of
from evosync.web.admin.words import LETTER_KINDS, PARTS, STEPS, error_text, said
from evosync.web.frame import Pill
from evosync.web.keys import CLIENT, FORMAT, SERVICES, WORDS
from evosync.web.render import page
from evosync.web.services import Checkup
from evosync.web.session import say
from evosync.words.tone import Tone

_log = logging.getLogger(__name__)

_MOVING: Final = ("redis", "worker", "cron", "queue", "database")
"""Parts without which nothing moves."""

ALIVE: Final = timedelta(seconds=45)
"""A worker that has said nothing for so long is taken for dead."""


async def show(request: web.Request) -> web.Response:
    at, words, form = request[CLIENT].at, request[WORDS], request[FORMAT]
    services = request.app[SERVICES]
    work = await services.database.read(lambda connection: jobs.work(connection, at=at))
    fresh = await services.database.read(freshness)
    workers, depth, is_reachable = await _workers(request)
    alive = [worker for worker in workers if _is_alive(worker, at)]
    checkup = await services.workshop.checkup() if services.workshop is not None else Checkup({})
    ill = [said(PARTS, name, words.language) for name, is_well in checkup.parts.items() if not is_well]
    if services.workshop is None:
        health = None
    elif not is_reachable:
        health = Pill(Tone.YOU, words.gettext("Redis does not answer"))
    elif not alive:
        health = Pill(Tone.YOU, words.gettext("No worker at work"))
    elif ill:
        health = Pill(Tone.YOU, words.gettext("Not well: %(names)s", names=", ".join(ill)))
    else:
        text = words.ngettext("%(num)s worker at work", "%(num)s workers at work", len(alive))
        health = Pill(Tone.OK, text)
    failed = work.counts["failed"] + work.counts["letters"]
    context = {
        "title": _title(
            words,
            is_idle=not work.counts["running"] and not work.counts["queued"],
            is_alive=bool(alive) and all(checkup.parts.get(name, True) for name in _MOVING),
        )
        if services.workshop is not None
        else words.gettext("Queue"),
        "health": health,
        "counts": {name: form.number(count) for name, count in work.counts.items()},
        "failed_count": form.number(failed),
        "has_failed": failed > 0,
        "depth": form.number(depth) if depth is not None else "",
        "on": form.number(fresh.on),
        "oldest": form.ago(fresh.since) if fresh.since is not None else None,
        "waiting": form.number(fresh.waiting) if fresh.waiting else "",
        "failed": [_failed(request, row) for row in work.failed],
        "letters": [_letter(request, letter) for letter in work.letters],
        "running": [_running(request, row) for row in work.running],
        "queued": [(row.user, row.called, form.ago(row.at) if row.at else "") for row in work.queued],
        "errors": [
            (row.user, row.called, error_text(row.code, words.language), form.moment(row.at))
            for row in work.errors
            if row.at is not None
        ],
        "workers": [_worker(request, worker) for worker in workers],
        "parts": _parts(request, checkup, depth),
    }
    return await page(request, "admin/queue.html", context)


def _parts(request: web.Request, checkup: Checkup, depth: int | None) -> list[tuple[str, Pill, str]]:
    """Each part with how it is, and what is known of it."""
    words, form = request[WORDS], request[FORMAT]
    never = words.gettext("not heard of yet")
    known = {"cron": form.ago(checkup.ticked_at).text if checkup.ticked_at is not None else never}
    if depth is not None:
        jobs = [words.ngettext("%(num)s job waits", "%(num)s jobs wait", depth, num=form.number(depth))]
        if checkup.oldest_at is not None:
            jobs.append(words.gettext("the oldest since %(time)s", time=form.clock(checkup.oldest_at)))
        known["queue"] = ", ".join(jobs)
    good, bad = Pill(Tone.OK, words.gettext("Well")), Pill(Tone.YOU, words.gettext("Ill"))
    return [
        (said(PARTS, name, words.language), good if is_well else bad, known.get(name, ""))
        for name, is_well in checkup.parts.items()
    ]


def _title(words: Any, *, is_idle: bool, is_alive: bool) -> str:
    if not is_alive:
        return str(words.gettext("The queue stands still"))
    return str(words.gettext("The queue is empty") if is_idle else words.gettext("The queue moves"))


async def _workers(request: web.Request) -> tuple[Sequence[WorkerSeen], int | None, bool]:
    """The workers, how many jobs wait in Redis, and whether it could be asked."""
    workshop = request.app[SERVICES].workshop
    if workshop is None:
        return (), None, True
    try:
        return await workshop.workers(), await workshop.depth(), True
    except (RedisError, OSError) as error:
        _log.warning("the workers could not be asked for", extra={"error": type(error).__name__})
        return (), None, False


def _is_alive(worker: WorkerSeen, at: datetime) -> bool:
    return worker.stopped_at is None and at - worker.seen_at < ALIVE


def _worker(request: web.Request, worker: WorkerSeen) -> dict[str, Any]:
    words, form, at = request[WORDS], request[FORMAT], request[CLIENT].at
    if worker.stopped_at is not None:
        pill = Pill(Tone.OFF, words.gettext("stopped %(time)s", time=form.ago(worker.stopped_at).text))
    elif _is_alive(worker, at):
        pill = Pill(Tone.OK, form.ago(worker.seen_at).text)
    else:
        pill = Pill(Tone.YOU, words.gettext("silent since %(time)s", time=form.moment(worker.seen_at).text))
    is_alive = _is_alive(worker, at)
    busy = words.gettext("%(done)s of %(total)s", done=form.number(worker.busy), total=form.number(worker.most))
    megabytes = words.gettext("%(num)s MB", num=form.number(worker.memory // 1_048_576)) if worker.memory else "—"
    return {
        "name": worker.name,
        "pill": pill,
        "busy": busy if is_alive else "—",
        "waiting": form.number(worker.waiting) if is_alive else "—",
        "memory": megabytes if is_alive else "—",
        "since": form.moment(worker.started_at),
    }


def _failed(request: web.Request, row: WorkRow) -> dict[str, Any]:
    words, form = request[WORDS], request[FORMAT]
    if row.waits_for_owner:
        tries = words.gettext("waits for its owner")
    else:
        tries = words.ngettext("%(num)s failure", "%(num)s failures", row.failures) if row.failures else "—"
    return {
        "key": f"mirror-{row.user}",
        "user": row.user,
        "called": row.called,
        "error": error_text(row.code, words.language),
        "at": form.moment(row.at) if row.at is not None else None,
        "tries": tries,
        "next": form.moment(row.next_at) if row.next_at is not None else None,
    }


def _letter(request: web.Request, letter: LetterProblem) -> dict[str, Any]:
    words, form = request[WORDS], request[FORMAT]
    given_up = words.gettext("given up")
    return {
        "key": f"letter-{letter.id}",
        "user": letter.user,
        "called": letter.address,
        "kind": said(LETTER_KINDS, letter.kind, words.language),
        "error": letter.error,
        "tries": given_up if letter.given_up else words.ngettext("%(num)s try", "%(num)s tries", letter.tries),
        "next": None if letter.given_up else form.moment(letter.next_at),
    }


def _running(request: web.Request, row: WorkRow) -> dict[str, Any]:
    words, form = request[WORDS], request[FORMAT]
    parts = [said(STEPS, row.step, words.language)] if row.step else []
    if row.total:
        parts.append(words.gettext("%(done)s of %(total)s", done=form.number(row.done), total=form.number(row.total)))
    if row.at is not None:
        parts.append(words.gettext("began %(time)s", time=form.ago(row.at).text))
    if row.is_lost:
        parts.append(words.gettext("its worker is silent, another one will take over"))
    return {
        "user": row.user,
        "called": row.called,
        "text": " · ".join(parts),
        "done": min(row.done, row.total),
        "total": row.total,
    }


async def retry(request: web.Request) -> web.Response:
    """`mirror-N`: the mirror of the owner N; `letter-N`: a letter. A repeat asks for the same once more."""
    kind, _, text = request.match_info["id"].partition("-")
    if not (text.isascii() and text.isdecimal()) or int(text[:20]) > LARGEST:
        raise web.HTTPNotFound
    try:
        if kind == "mirror":
            said_text = await _retry_mirror(request, UserId(int(text)))
        elif kind == "letter":
            said_text = await _retry_letter(request, int(text))
        else:
            raise web.HTTPNotFound
    except Unknown:
        raise web.HTTPNotFound from None
    await say(request, *said_text)
    raise web.HTTPSeeOther("/admin/queue")


async def _retry_mirror(request: web.Request, user: UserId) -> tuple[str, str]:
    await desk_of(request).retry_run(user)
    await request.app[SERVICES].queue.nudge(user)
    return request[WORDS].gettext("The update is queued"), "ok"


async def _retry_letter(request: web.Request, number: int) -> tuple[str, str]:
    words = request[WORDS]
    became = await desk_of(request).retry_letter(number)
    if became is Revived.TOO_OLD:
        return words.gettext("The link in this letter is used or too old. Send a new one from the person's page"), "you"
    if became is Revived.SENT:
        return words.gettext("The letter is sent already"), "ok"
    await request.app[SERVICES].queue.send_letters()
    return words.gettext("The letter is on its way"), "ok"


routes = [
    web.get("/admin/queue", show, name="admin-queue"),
    web.post("/admin/queue/{id}/retry", retry),
]
