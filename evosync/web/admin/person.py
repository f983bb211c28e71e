"""One person: how his mirror is doing, what happened to his account, and what can be done about it."""

from collections.abc import Awaitable
from http import HTTPStatus
from typing import Any, Final

from aiohttp import web
from sqlalchemy.ext.asyncio import AsyncConnection
from wtforms import SelectField, SelectMultipleField, StringField

from evosync.accounts.addresses import shown_phone
from evosync.accounts.administration import Desk, Refused, Unknown, Why
from evosync.db import history, people
from evosync.db.accounts import Taken, UserStatus
from evosync.db.admin.owner import Connected, Details, details
from evosync.db.admin.people import find_person
from evosync.db.admin.roles import list_roles
from evosync.db.admin.trail import AuditFilter, list_audit
from evosync.db.people import Person, Viewer
from evosync.domain.ids import UserId
from evosync.domain.mirror import Outcome, RunRecord
from evosync.web.admin.desk import REFUSALS, desk_of, number_in_path
from evosync.web.admin.words import ACTIONS, audit_details, error_text, person_pill, role_name, said
from evosync.web.findings import values_of
from evosync.web.forms import SiteForm, at_most, blank, email, filled, optional, options, phone, stripped
from evosync.web.frame import Pill
from evosync.web.keys import CLIENT, FORMAT, SERVICES, WORDS
from evosync.web.pictures import Bar
from evosync.web.render import page
from evosync.web.session import say
from evosync.words.errors import card_of
from evosync.words.language import Language, language_of, marked
from evosync.words.statuses import STATUSES
from evosync.words.tone import Both, Tone

_RUNS: Final = 24
_ENTRIES: Final = 20
_REASON: Final = 200

_OUTCOMES: Final = {
    Outcome.OK: (Tone.OK, Both("Перенесли", "Carried over")),
    Outcome.PARTIAL: (Tone.YOU, Both("Не всё вышло", "In part")),
    Outcome.READ_ONLY: (Tone.OFF, Both("Только прочитали", "Read only")),
    Outcome.CUT: (Tone.WE, Both("Прервано", "Cut short")),
    Outcome.HELD: (Tone.YOU, Both("Остановили", "Stopped")),
    Outcome.FAILED: (Tone.YOU, Both("Не вышло", "Did not work")),
}


class EditForm(SiteForm):
    """What an admin may change: never the password."""

    name = StringField(marked("Name"), [at_most(100)], filters=[stripped])
    email = StringField(marked("Email"), [optional, at_most(254), email], filters=[stripped])
    phone = StringField(marked("Phone"), [optional, at_most(40), phone], filters=[stripped])
    language = SelectField(marked("Language"), choices=options((one.value, one.own_name) for one in Language))
    roles = SelectMultipleField(marked("Roles"))


def _user(request: web.Request) -> UserId:
    return UserId(number_in_path(request))


async def _viewer(request: web.Request) -> Viewer:
    user = _user(request)
    found = await request.app[SERVICES].database.read(lambda connection: people.viewer(connection, user))
    if found is None:
        raise web.HTTPNotFound
    return found


async def show(request: web.Request) -> web.Response:
    return await _shown(request, _user(request))


async def _shown(
    request: web.Request, user: UserId, *, complaint: str = "", status: int = HTTPStatus.OK
) -> web.Response:
    at, words, form = request[CLIENT].at, request[WORDS], request[FORMAT]
    desk = desk_of(request)

    async def work(connection: AsyncConnection) -> tuple[Any, ...] | None:
        viewer = await people.viewer(connection, user)
        row = await find_person(connection, user, at=at)
        if viewer is None or row is None:
            return None
        found = await details(connection, user, runs=_RUNS, at=at)
        trail = await list_audit(connection, AuditFilter(), limit=_ENTRIES, about=user)
        return viewer, row, found, trail

    got = await request.app[SERVICES].database.read(work)
    if got is None:
        raise web.HTTPNotFound
    viewer, row, found, trail = got
    language = words.language
    person: Person = viewer.person
    context = {
        "person": person,
        "phone": shown_phone(person.phone) if person.phone else "",
        "language": language_of(person.language).own_name,
        "roles": ", ".join(role_name(name, language) for name in sorted(viewer.roles)),
        "pill": person_pill(row, words, form),
        "found": found,
        "evotor": _connection(request, found.evotor),
        "vk": _connection(request, found.vk),
        "trouble": _trouble(found, row.glance.last_code),
        "told": next((values_of(one, form) for run in found.runs if (one := history.guard_finding(run.notes))), {}),
        "runs": [_run(request, run) for run in found.runs[:8]],
        "chart": [_bar(run) for run in reversed(found.runs)],
        "problems": [(STATUSES[one].pill.said(language.value), form.number(n)) for one, n in found.problems.items()],
        "problem_count": sum(found.problems.values()),
        "trail": [
            (
                said(ACTIONS, entry.action, language),
                audit_details(entry, language),
                entry.actor_called or "EvoSync",
                form.moment(entry.at),
            )
            for entry in trail
        ],
        "complaint": complaint,
        "may_touch": desk.may_touch(viewer),
        "is_me": viewer.id == desk.by.id,
        "is_suspended": person.status is UserStatus.SUSPENDED,
        "is_pending": person.status is UserStatus.PENDING,
        "can_invite": person.status is UserStatus.PENDING or person.password_hash is None,
    }
    return await page(request, "admin/person.html", context, status=status)


def _connection(request: web.Request, connected: Connected | None) -> dict[str, Any]:
    words, form, language = request[WORDS], request[FORMAT], request[WORDS].language
    if connected is None:
        return {"pill": Pill(Tone.OFF, words.gettext("Not connected")), "text": ""}
    pill = {
        "ok": Pill(Tone.OK, words.gettext("Works")),
        "broken": Pill(Tone.YOU, words.gettext("Refused")),
        "parked": Pill(Tone.OFF, words.gettext("Switched off in Evotor")),
    }[connected.health]
    parts = [words.gettext("key …%(last)s", last=connected.last4)] if connected.last4 else []
    if connected.name or connected.number:
        parts.append(" ".join(part for part in (connected.name, f"club{connected.number}") if part))
    if connected.reason:
        parts.append(error_text(connected.reason, language))
    if connected.reason_at is not None and connected.health != "ok":
        parts.append(words.gettext("since %(time)s", time=form.moment(connected.reason_at).text))
    if connected.expires_at is not None:
        parts.append(words.gettext("until %(time)s", time=form.date(connected.expires_at).text))
    return {"pill": pill, "text": " · ".join(parts)}


def _trouble(found: Details, last_code: str) -> Any:
    """The card of what keeps this mirror from going on, if anything does."""
    for connected in (found.evotor, found.vk):
        if connected is not None and connected.health == "broken" and connected.reason:
            return card_of(connected.reason)
    last = found.runs[0] if found.runs else None
    if last is not None and last.outcome in {Outcome.FAILED, Outcome.HELD} and last_code:
        return card_of(last_code)
    return None


def _changes(run: RunRecord) -> tuple[int, int]:
    """What had changed, and how much of it was carried over."""
    tally = run.tally
    done = tally.created + tally.updated + tally.hidden + tally.shown + tally.adopted
    return done + tally.failed, done


def _bar(run: RunRecord) -> Bar:
    changed, done = _changes(run)
    is_bad = run.outcome in {Outcome.FAILED, Outcome.HELD}
    return Bar(max(changed, 1), 0) if is_bad and not done else Bar(changed, done)


def _run(request: web.Request, run: RunRecord) -> dict[str, Any]:
    words, form = request[WORDS], request[FORMAT]
    changed, done = _changes(run)
    if run.outcome is None:
        pill = Pill(Tone.WE, words.gettext("Updating"))
    else:
        tone, text = _OUTCOMES[run.outcome]
        pill = Pill(tone, text.said(words.language.value))
    parts = []
    if changed:
        parts.append(words.gettext("%(done)s of %(total)s", done=form.number(done), total=form.number(changed)))
    if run.finished_at is not None:
        parts.append(form.lasted(run.finished_at - run.started_at))
    if run.code:
        parts.append(error_text(run.code, words.language))
    return {"number": run.id, "at": form.moment(run.started_at), "text": " · ".join(parts), "pill": pill}


async def _act(act: Awaitable[Any]) -> Any:
    """Does it; raises what the answer is where it was refused."""
    try:
        return await act
    except Unknown:
        raise web.HTTPNotFound from None
    except Refused as refused:
        if refused.why is Why.RIGHTS:
            raise web.HTTPForbidden from None
        raise


async def _refused(request: web.Request, user: UserId, refused: Refused) -> web.Response:
    complaint = request[WORDS].gettext(REFUSALS[refused.why])
    return await _shown(request, user, complaint=complaint, status=HTTPStatus.CONFLICT)


async def _done(request: web.Request, user: UserId, text: str) -> web.Response:
    await say(request, text)
    raise web.HTTPSeeOther(f"/admin/users/{user}")


async def activate(request: web.Request) -> web.Response:
    user, words = _user(request), request[WORDS]
    try:
        changed = await _act(desk_of(request).activate(user))
    except Refused as refused:
        return await _refused(request, user, refused)
    if changed:
        await request.app[SERVICES].queue.nudge(user)
    done = words.gettext("The account is active") if changed else words.gettext("It was active")
    return await _done(request, user, done)


async def show_suspend(request: web.Request) -> web.Response:
    viewer = await _viewer(request)
    return await page(request, "admin/suspend.html", {"person": viewer.person})


async def suspend(request: web.Request) -> web.Response:
    """His sign-ins end with it; a run that goes on looks before each write whether it is still wanted."""
    user, words = _user(request), request[WORDS]
    reason = (await request.post()).get("reason", "")
    text = reason.strip()[:_REASON] if isinstance(reason, str) else ""
    try:
        changed = await _act(desk_of(request).suspend(user, reason=text))
    except Refused as refused:
        return await _refused(request, user, refused)
    done = words.gettext("The account is suspended") if changed else words.gettext("It was suspended")
    return await _done(request, user, done)


async def reset_password(request: web.Request) -> web.Response:
    user = _user(request)
    try:
        await _act(desk_of(request).reset_password(user))
    except Refused as refused:
        return await _refused(request, user, refused)
    await request.app[SERVICES].queue.send_letters()
    return await _done(request, user, request[WORDS].gettext("The link is on its way"))


async def send_invite(request: web.Request) -> web.Response:
    user = _user(request)
    try:
        await _act(desk_of(request).send_invite(user))
    except Refused as refused:
        return await _refused(request, user, refused)
    await request.app[SERVICES].queue.send_letters()
    return await _done(request, user, request[WORDS].gettext("The invitation is on its way"))


async def show_delete(request: web.Request) -> web.Response:
    viewer = await _viewer(request)
    return await page(request, "admin/delete.html", {"person": viewer.person})


async def delete(request: web.Request) -> web.Response:
    user = _user(request)
    try:
        await _act(desk_of(request).delete(user))
    except Refused as refused:
        return await _refused(request, user, refused)
    await say(request, request[WORDS].gettext("The account is deleted"))
    raise web.HTTPSeeOther("/admin/users")


async def _edit_form(request: web.Request, form: EditForm, viewer: Viewer, desk: Desk) -> tuple[EditForm, list[str]]:
    """The form with the roles that this admin may give, and the names of those that stay as they are."""
    roles = await request.app[SERVICES].database.read(list_roles)
    language = request[WORDS].language
    choices: Any = form["roles"]
    choices.choices = options((role.name, role_name(role.name, language)) for role in roles if desk.may_give(role))
    kept = [role_name(role.name, language) for role in roles if role.name in viewer.roles and not desk.may_give(role)]
    return form, kept


async def _edit_page(
    request: web.Request, form: EditForm, viewer: Viewer, kept: list[str], status: int
) -> web.Response:
    context = {"form": form, "person": viewer.person, "kept": kept}
    return await page(request, "admin/edit.html", context, status=status)


async def show_edit(request: web.Request) -> web.Response:
    viewer, desk = await _viewer(request), desk_of(request)
    if not desk.may_touch(viewer):
        raise web.HTTPForbidden
    person = viewer.person
    data = {
        "name": person.name,
        "email": person.email or "",
        "phone": shown_phone(person.phone) if person.phone else "",
        "language": language_of(person.language).value,
        "roles": sorted(viewer.roles),
    }
    form, kept = await _edit_form(request, blank(EditForm, request, data=data), viewer, desk)
    return await _edit_page(request, form, viewer, kept, HTTPStatus.OK)


async def edit(request: web.Request) -> web.Response:
    viewer, desk = await _viewer(request), desk_of(request)
    form, kept = await _edit_form(request, await filled(EditForm, request), viewer, desk)
    if not _is_good(form, viewer, kept):
        if _wants_more(form):
            await _act(desk.refuse("edit", viewer.id))
        return await _edit_page(request, form, viewer, kept, HTTPStatus.UNPROCESSABLE_ENTITY)
    try:
        changed = await _act(
            desk.edit(
                viewer.id,
                name=form.text("name"),
                email=form.text("email") or None,
                phone=form.text("phone") or None,
                language=form.text("language"),
                roles=list(form["roles"].data or ()),
            ),
        )
    except Taken:
        form.complain("email", marked("Another account has this address"))
        return await _edit_page(request, form, viewer, kept, HTTPStatus.UNPROCESSABLE_ENTITY)
    except Refused as refused:
        form.complain("roles", REFUSALS[refused.why])
        return await _edit_page(request, form, viewer, kept, HTTPStatus.UNPROCESSABLE_ENTITY)
    say = request[WORDS].gettext
    if "email" not in changed:
        return await _done(request, viewer.id, say("Saved"))
    await request.app[SERVICES].queue.send_letters()
    return await _done(request, viewer.id, say("Saved. The new address holds when the link in our letter is pressed"))


def _is_good(form: EditForm, viewer: Viewer, kept: list[str]) -> bool:
    is_good = form.validate()
    if is_good and viewer.person.email and not form.text("email"):
        form.complain("email", marked("Enter an address like name@example.com"))
        return False
    if is_good and not form["roles"].data and not kept:
        form.complain("roles", marked("Choose at least one role"))
        return False
    return bool(is_good)


def _wants_more(form: EditForm) -> bool:
    """A role that is not on offer was asked for all the same."""
    choices: Any = form["roles"]
    offered = {choice.value for choice in choices.choices}
    return bool(set(choices.data or ()) - offered)


routes = [
    web.get("/admin/users/{id}", show, name="admin-user"),
    web.post("/admin/users/{id}/activate", activate),
    web.get("/admin/users/{id}/suspend", show_suspend),
    web.post("/admin/users/{id}/suspend", suspend),
    web.post("/admin/users/{id}/reset-password", reset_password),
    web.post("/admin/users/{id}/send-invite", send_invite),
    web.get("/admin/users/{id}/edit", show_edit),
    web.post("/admin/users/{id}/edit", edit),
    web.get("/admin/users/{id}/delete", show_delete),
    web.post("/admin/users/{id}/delete", delete),
]
