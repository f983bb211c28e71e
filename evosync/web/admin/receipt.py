"""The receipt of one run of somebody else, as its owner sees it."""

from aiohttp import web

from evosync.db import people
from evosync.domain.ids import UserId
from evosync.web.admin.desk import number_in_path
from evosync.web.keys import SERVICES
from evosync.web.pages.runs import receipt_of
from evosync.web.render import page


async def show(request: web.Request) -> web.Response:
    user = UserId(number_in_path(request))
    person = await request.app[SERVICES].database.read(lambda connection: people.person(connection, user))
    if person is None:
        raise web.HTTPNotFound
    context = await receipt_of(request, user, request.match_info["number"], base=f"/admin/users/{user}/runs")
    return await page(request, "admin/run.html", {**context, "person": person})


routes = [web.get("/admin/users/{id}/runs/{number}", show, name="admin-run")]
