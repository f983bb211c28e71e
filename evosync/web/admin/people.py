"""The list of people, and inviting somebody."""

from http import HTTPStatus
from typing import Any, Final

from aiohttp import web
from sqlalchemy.ext.asyncio import AsyncConnection
from wtforms import SelectField, StringField

from evosync.accounts.addresses import shown_phone
from evosync.accounts.administration import Desk, Refused, Unknown
from evosync.db.accounts import Taken
from evosync.db.admin.around import PAGE
from evosync.db.admin.people import PersonRow, State, Wanted, count_people, list_people
from evosync.db.admin.roles import Role, list_roles
from evosync.web.admin.desk import desk_of, page_number
from evosync.web.admin.words import person_pill, role_name
from evosync.web.forms import SiteForm, at_most, blank, email, filled, optional, options, phone, stripped
from evosync.web.keys import CLIENT, FORMAT, SERVICES, WORDS
from evosync.web.paths import with_query
from evosync.web.render import page
from evosync.web.session import say
from evosync.words.format import DEFAULT_ZONE
from evosync.words.language import DEFAULT_LANGUAGE, Language, marked

_CHIPS: Final = {
    State.ALL: marked("All"),
    State.NEEDS: marked("Need their owner"),
    State.STALE: marked("Not updated for a day"),
    State.PENDING: marked("Wait for confirmation"),
    State.SUSPENDED: marked("Suspended"),
}


class InviteForm(SiteForm):
    """A new person: how to reach him, and what he may do."""

    name = StringField(marked("Name"), [at_most(100)], filters=[stripped])
    email = StringField(marked("Email"), [optional, at_most(254), email], filters=[stripped])
    phone = StringField(marked("Phone"), [optional, at_most(40), phone], filters=[stripped])
    language = SelectField(marked("Language"), choices=options((one.value, one.own_name) for one in Language))
    role = SelectField(marked("Role"))


def _wanted(request: web.Request) -> Wanted:
    state = request.query.get("state", "")
    return Wanted(
        text=request.query.get("q", "").strip()[:100],
        role=request.query.get("role", "")[:32],
        state=State(state) if state in set(State) else State.ALL,
    )


async def to_people(request: web.Request) -> web.Response:
    del request
    raise web.HTTPSeeOther("/admin/users")


async def show(request: web.Request) -> web.Response:
    wanted, number, at = _wanted(request), page_number(request), request[CLIENT].at

    async def work(connection: AsyncConnection) -> tuple[Any, ...]:
        counts = await count_people(connection, wanted, at=at)
        last = max(-(-counts[wanted.state] // PAGE), 1)
        here = min(number, last)
        found = await list_people(connection, wanted, page=here, at=at)
        return counts, last, here, found, await list_roles(connection)

    counts, last, here, found, roles = await request.app[SERVICES].database.read(work)
    words, form = request[WORDS], request[FORMAT]

    def address(**changed: str) -> str:
        now = {"q": wanted.text, "role": wanted.role, "state": wanted.state.value}
        return with_query("/admin/users", now | changed)

    context = {
        "people": [_line(request, person) for person in found],
        "wanted": wanted,
        "roles": [(role.name, role_name(role.name, words.language)) for role in roles],
        "chips": [
            (words.gettext(text), counts[state], address(state=state.value), state is wanted.state)
            for state, text in _CHIPS.items()
        ],
        "clear": with_query("/admin/users", {}),
        "number": here,
        "of": last,
        "back": address(page=str(here - 1)) if here > 1 else "",
        "next": address(page=str(here + 1)) if here < last else "",
        "total": form.number(counts[State.ALL]),
    }
    return await page(request, "admin/people.html", context)


def _line(request: web.Request, person: PersonRow) -> dict[str, Any]:
    words, form = request[WORDS], request[FORMAT]
    stores = words.ngettext("%(num)s store", "%(num)s stores", person.stores) if person.stores else ""
    if person.unpaid:
        unpaid = words.ngettext("%(num)s not paid", "%(num)s not paid", person.unpaid)
        stores = f"{stores}, {unpaid}"
    if person.glance.evotor == "broken":
        stores = words.gettext("refuses the key")
    return {
        "id": person.id,
        "called": person.called,
        "reached": (person.email or shown_phone(person.phone or "")) if person.name else "",
        "pill": person_pill(person, words, form),
        "till": stores or ("—" if person.glance.evotor is None else words.gettext("connected")),
        "shop": words.gettext("refuses the key") if person.glance.vk == "broken" else person.community or "—",
        "products": form.number(person.products) if person.products is not None else "—",
        "last": words.gettext("now")
        if person.glance.is_running
        else form.ago(person.last_at)
        if person.last_at is not None
        else None,
    }


async def _invite_form(request: web.Request, form: InviteForm, desk: Desk) -> InviteForm:
    roles = await request.app[SERVICES].database.read(list_roles)
    choices: Any = form["role"]
    language = request[WORDS].language
    choices.choices = options((role.name, role_name(role.name, language)) for role in _given(roles, desk))
    return form


def _given(roles: Any, desk: Desk) -> list[Role]:
    # The role of an owner first: it is what nearly everybody is invited for.
    return sorted((role for role in roles if desk.may_give(role)), key=lambda role: len(role.permissions))


async def show_invite(request: web.Request) -> web.Response:
    form = blank(InviteForm, request, data={"language": DEFAULT_LANGUAGE.value, "role": "user"})
    return await page(request, "admin/invite.html", {"form": await _invite_form(request, form, desk_of(request))})


async def invite(request: web.Request) -> web.Response:
    services, desk = request.app[SERVICES], desk_of(request)
    form = await _invite_form(request, await filled(InviteForm, request), desk)
    is_good = form.validate()
    if is_good and not form.text("email") and not (form.text("phone") and services.site.sms):
        form.complain("email", marked("Enter an address like name@example.com"))
        is_good = False
    if is_good:
        try:
            user = await desk.invite(
                email=form.text("email") or None,
                phone=form.text("phone") or None,
                name=form.text("name"),
                language=form.text("language"),
                time_zone=DEFAULT_ZONE,
                role=form.text("role"),
            )
        except Taken:
            form.complain("email", marked("Another account has this address"))
        except (Refused, Unknown):
            raise web.HTTPForbidden from None
        else:
            await services.queue.send_letters()
            await say(request, request[WORDS].gettext("The invitation is on its way"))
            raise web.HTTPSeeOther(f"/admin/users/{user}")
    return await page(request, "admin/invite.html", {"form": form}, status=HTTPStatus.UNPROCESSABLE_ENTITY)


routes = [
    web.get("/admin", to_people),
    web.get("/admin/users", show, name="admin-users"),
    web.get("/admin/users/new", show_invite),
    web.post("/admin/users", invite),
]
