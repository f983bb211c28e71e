"""Past runs: the list, and the receipt of one."""

from typing import Any, Final

from aiohttp import web
from sqlalchemy.ext.asyncio import AsyncConnection

from evosync.db import history
from evosync.domain.ids import RunId, UserId
from evosync.domain.mirror import Outcome, Result, RunRecord
from evosync.web.findings import values_of
from evosync.web.keys import FORMAT, SERVICES, WORDS
from evosync.web.receipts import (
    RESULT_WORDS,
    RESULTS,
    line_seen,
    notes_seen,
    reason_text,
    receipt_parts,
    run_seen,
    skipped_seen,
    support_code,
)
from evosync.web.render import page
from evosync.web.viewer import viewer_of
from evosync.words.checks import stored_card
from evosync.words.errors import card_of

_MOST_ID: Final = 2**62


def number_of(text: str) -> int:
    """A page's number from an address; nonsense is the first page."""
    return min(int(text), 100_000) if text.isascii() and text.isdecimal() and len(text) < 7 and int(text) > 0 else 1


async def listed(request: web.Request) -> web.Response:
    user, words, form = viewer_of(request).id, request[WORDS], request[FORMAT]
    wanted = number_of(request.query.get("page", ""))

    async def look(connection: AsyncConnection) -> tuple[int, int, list[RunRecord]]:
        count = await history.count_runs(connection, user)
        number = min(wanted, max(-(-count // history.PAGE), 1))
        return count, number, await history.some_runs(connection, user, number=number)

    count, number, records = await request.app[SERVICES].database.read(look)
    pages = max(-(-count // history.PAGE), 1)
    context = {
        "count": count,
        "runs": [run_seen(record, words, form) for record in records],
        "number": number,
        "pages": pages,
        "back": f"/sync/runs?page={number - 1}" if number > 1 else "",
        "next": f"/sync/runs?page={number + 1}" if number < pages else "",
    }
    return await page(request, "sync/runs.html", context)


def _id(text: str) -> RunId:
    if not (text.isascii() and text.isdecimal()) or len(text) > 18:
        raise web.HTTPNotFound
    return RunId(min(int(text), _MOST_ID))


async def show(request: web.Request) -> web.Response:
    context = await receipt_of(request, viewer_of(request).id, request.match_info["id"], base="/sync/runs")
    return await page(request, "sync/run.html", context)


async def receipt_of(request: web.Request, user: UserId, run: str, *, base: str) -> dict[str, Any]:
    """What the template of a receipt shows. `base` is the address below which this reader finds the owner's runs.

    Raises `HTTPNotFound` where the owner has no such run.
    """
    words, form = request[WORDS], request[FORMAT]
    number, ident = number_of(request.query.get("page", "")), _id(run)
    asked = request.query.get("show", "")

    async def look(connection: AsyncConnection) -> dict[str, Any] | None:
        record = await history.run(connection, user, ident)
        if record is None:
            return None
        counts = await history.result_counts(connection, ident)
        kinds = [result for result in RESULTS if counts.get(result)]
        chosen = next((result for result in kinds if result.value == asked), kinds[0] if kinds else None)
        return {
            "record": record,
            "counts": counts,
            "kinds": kinds,
            "chosen": chosen,
            "prices": await history.price_changes(connection, ident),
            "shop": (await history.now(connection, user)).community_name,
            "lines": (
                await history.results(connection, user, ident, chosen, page=number) if chosen is not None else ()
            ),
        }

    found = await request.app[SERVICES].database.read(look)
    if found is None:
        raise web.HTTPNotFound
    record: RunRecord = found["record"]
    chosen: Result | None = found["chosen"]
    count = found["counts"].get(chosen, 0) if chosen is not None else 0
    pages = max(-(-count // history.PAGE), 1)
    here = f"{base}/{ident}?show={chosen.value}" if chosen is not None else ""
    return {
        "run": run_seen(record, words, form),
        "record": record,
        "reason": reason_text(record, words),
        "receipt": receipt_parts(record, found["prices"], words, form),
        "shop": found["shop"],
        "code": support_code(record),
        "card": _card(record),
        "told": values_of(history.guard_finding(record.notes), form),
        "chips": [
            (
                words.gettext(RESULT_WORDS[kind]),
                found["counts"][kind],
                f"{base}/{ident}?show={kind.value}",
                kind is chosen,
            )
            for kind in found["kinds"]
        ],
        "title": words.gettext(RESULT_WORDS[chosen]) if chosen is not None else "",
        "count": count,
        "lines": [line_seen(line, words, form) for line in found["lines"]],
        "skipped": skipped_seen(record, words),
        "notes": notes_seen(record.notes, words, form),
        "number": number,
        "pages": pages,
        "back": f"{here}&page={number - 1}" if number > 1 else "",
        "next": f"{here}&page={number + 1}" if number < pages else "",
    }


def _card(record: RunRecord) -> Any:
    if not record.code or record.outcome not in {Outcome.FAILED, Outcome.HELD}:
        return None
    return card_of(record.code) and stored_card(record.code)


routes = [
    web.get("/sync/runs", listed, name="runs"),
    web.get("/sync/runs/{id}", show, name="run"),
]
