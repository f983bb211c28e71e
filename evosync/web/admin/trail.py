"""The audit trail: who did what to whose account."""

from typing import Any

from aiohttp import web
from sqlalchemy.ext.asyncio import AsyncConnection

from evosync.db.admin.around import PAGE
from evosync.db.admin.trail import AuditFilter, count_audit, known_actions, list_audit
from evosync.web.admin.desk import page_number
from evosync.web.admin.words import ACTIONS, audit_details, said
from evosync.web.keys import FORMAT, SERVICES, WORDS
from evosync.web.paths import with_query
from evosync.web.render import page


async def show(request: web.Request) -> web.Response:
    number = page_number(request)
    wanted = AuditFilter(action=request.query.get("action", "")[:64], text=request.query.get("q", "").strip()[:100])

    async def work(connection: AsyncConnection) -> tuple[Any, ...]:
        count = await count_audit(connection, wanted)
        last = max(-(-count // PAGE), 1)
        here = min(number, last)
        entries = await list_audit(connection, wanted, page=here)
        return entries, last, here, await known_actions(connection)

    entries, last, here, actions = await request.app[SERVICES].database.read(work)
    language, form = request[WORDS].language, request[FORMAT]

    def address(to: int) -> str:
        return with_query("/admin/audit", {"action": wanted.action, "q": wanted.text, "page": str(to)})

    context = {
        "entries": [
            {
                "what": said(ACTIONS, entry.action, language),
                "details": audit_details(entry, language),
                "actor": entry.actor,
                "actor_called": entry.actor_called or "—",
                "user": entry.user,
                "user_called": entry.user_called or "—",
                "is_own": entry.actor is not None and entry.actor == entry.user,
                "address": entry.address,
                "at": form.moment(entry.at),
            }
            for entry in entries
        ],
        "wanted": wanted,
        "actions": sorted(((action, said(ACTIONS, action, language)) for action in actions), key=lambda one: one[1]),
        "number": here,
        "of": last,
        "back": address(here - 1) if here > 1 else "",
        "next": address(here + 1) if here < last else "",
    }
    return await page(request, "admin/audit.html", context)


routes = [web.get("/admin/audit", show, name="admin-audit")]
