"""What each role may do."""

from http import HTTPStatus

from aiohttp import web

from evosync.accounts.administration import SYSTEM, Refused, Unknown, Why
from evosync.db.admin.roles import list_permissions, list_roles
from evosync.web.admin.desk import REFUSALS, desk_of, number_in_path
from evosync.web.admin.words import PERMISSIONS, ROLE_HINTS, role_name, said
from evosync.web.keys import SERVICES, WORDS
from evosync.web.render import page
from evosync.web.session import say


async def show(request: web.Request) -> web.Response:
    return await _shown(request)


async def _shown(request: web.Request, *, complaint: str = "", status: int = HTTPStatus.OK) -> web.Response:
    database, words, desk = request.app[SERVICES].database, request[WORDS], desk_of(request)
    language = words.language
    roles = await database.read(list_roles)
    names = await database.read(list_permissions)
    context = {
        "roles": [
            {
                "id": role.id,
                "name": role_name(role.name, language),
                "hint": said(ROLE_HINTS, role.name, language) if role.name in ROLE_HINTS else "",
                "people": words.ngettext("%(num)s person", "%(num)s people", role.people),
                "is_fixed": role.name == SYSTEM,
                "permissions": [
                    (name, said(PERMISSIONS, name, language), name in role.permissions, desk.by.may(name))
                    for name in names
                ],
            }
            for role in roles
        ],
        "complaint": complaint,
    }
    return await page(request, "admin/roles.html", context, status=status)


async def set_permissions(request: web.Request) -> web.Response:
    """`permissions` once for each right; what is not named is taken away."""
    sent = await request.post()
    names = [value for value in sent.getall("permissions", []) if isinstance(value, str)]
    words = request[WORDS]
    try:
        changed = await desk_of(request).set_permissions(number_in_path(request), names)
    except Unknown:
        raise web.HTTPNotFound from None
    except Refused as refused:
        if refused.why is Why.RIGHTS:
            raise web.HTTPForbidden from None
        return await _shown(request, complaint=words.gettext(REFUSALS[refused.why]), status=HTTPStatus.CONFLICT)
    await say(request, words.gettext("Saved") if changed else words.gettext("Nothing has changed"))
    raise web.HTTPSeeOther("/admin/roles")


routes = [
    web.get("/admin/roles", show, name="admin-roles"),
    web.post("/admin/roles/{id}/permissions", set_permissions),
]
