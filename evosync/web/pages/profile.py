"""A person's own page: who he is, which letters he gets, where he is signed in, his data, and the way out."""

from http import HTTPStatus
from typing import Any, Final

import orjson
from aiohttp import web
from wtforms import PasswordField, SelectField, StringField

from evosync.accounts import profile, recovery
from evosync.accounts.addresses import shown_phone
from evosync.accounts.sessions import public_id
from evosync.db.people import NOTICES, Person
from evosync.web import session
from evosync.web.devices import device_of, is_phone
from evosync.web.errors import wants_json
from evosync.web.forms import (
    SiteForm,
    at_most,
    blank,
    email,
    filled,
    needed,
    new_password,
    optional,
    options,
    phone,
    stripped,
)
from evosync.web.keys import CLIENT, FORMAT, LINKS, SERVICES, SESSIONS, THROTTLE, WORDS
from evosync.web.render import answer, page
from evosync.web.viewer import speak, viewer_of
from evosync.web.zones import zone_choices, zone_label
from evosync.words.language import Language, language_of, marked
from evosync.words.tone import Both

_PRESENT = marked("Enter your password")

NOTICE_WORDS: Final = {
    "broken": (
        Both("Подключение перестало работать", "A connection stopped working"),
        Both("Сразу, одно письмо на случай", "At once, one letter each time"),
    ),
    "expiring": (
        Both("Ключ ВКонтакте скоро закончится", "The VK key is about to run out"),
        Both("За неделю и за день", "A week and a day before"),
    ),
    "failing": (
        Both("Витрина не обновляется сутки", "The shop has not been updated for a day"),
        Both("И когда всё снова хорошо", "And when all is well again"),
    ),
}


class EditForm(SiteForm):
    """What a person says about himself. A new address counts once it is confirmed."""

    name = StringField(marked("What shall we call you"), [at_most(100)], filters=[stripped])
    email = StringField(marked("Email"), [optional, at_most(254), email], filters=[stripped])
    phone = StringField(marked("Phone"), [optional, at_most(40), phone], filters=[stripped])
    language = SelectField(marked("Language"), choices=options((one.value, one.own_name) for one in Language))
    time_zone = SelectField(marked("Time zone"))
    password = PasswordField(marked("Your password"), [at_most(1000)])


class PasswordForm(SiteForm):
    """Another password."""

    present = PasswordField(marked("Present password"), [needed(_PRESENT), at_most(1000)])
    password = PasswordField(
        marked("New password"), [needed(marked("10 characters or more, not a common one")), new_password]
    )


class DeleteForm(SiteForm):
    """The end."""

    password = PasswordField(marked("Your password"), [needed(_PRESENT), at_most(1000)])


async def show(request: web.Request) -> web.Response:
    viewer, client = viewer_of(request), request[CLIENT]
    language = request[WORDS].language.value
    here = public_id(await session.current_key(request))
    sign_ins = [
        {
            "id": one.id,
            "device": device_of(one.agent) or request[WORDS].gettext("Unknown device"),
            "address": one.address,
            "seen": request[FORMAT].ago(one.seen),
            "symbol": "phone" if is_phone(one.agent) else "desk",
            "is_here": one.id == here,
        }
        for one in await request.app[SESSIONS].listed(viewer.id, at=client.at)
    ]
    context = {
        "person": viewer.person,
        "phone": shown_phone(viewer.person.phone) if viewer.person.phone else "",
        "language": language_of(viewer.person.language).own_name,
        "zone": zone_label(viewer.person.time_zone, language=language, at=client.at),
        "sign_ins": sorted(sign_ins, key=lambda one: not one["is_here"]),
        "notices": [
            (name, title.said(language), text.said(language), viewer.person.wants(name))
            for name in NOTICES
            for title, text in (NOTICE_WORDS[name],)
        ],
        "form": blank(DeleteForm, request),
    }
    return await page(request, "profile/profile.html", context)


def _edit_form(request: web.Request, form: EditForm, person: Person) -> EditForm:
    choices = zone_choices(request[WORDS].language.value, at=request[CLIENT].at, present=person.time_zone)
    select: Any = form["time_zone"]
    select.choices = options(choices)
    return form


async def show_edit(request: web.Request) -> web.Response:
    person = viewer_of(request).person
    data = {
        "name": person.name,
        "email": person.email or "",
        "phone": shown_phone(person.phone) if person.phone else "",
        "language": language_of(person.language).value,
        "time_zone": person.time_zone,
    }
    form = _edit_form(request, blank(EditForm, request, data=data), person)
    return await page(request, "profile/edit.html", {"form": form})


async def edit(request: web.Request) -> web.Response:
    services, client, person = request.app[SERVICES], request[CLIENT], viewer_of(request).person
    form = _edit_form(request, await filled(EditForm, request), person)
    is_good = form.validate()
    wanted = form.text("email")
    moves = bool(wanted) and wanted != person.email
    if is_good and person.email and not wanted:
        form.complain("email", marked("Enter an address like name@example.com"))
        is_good = False
    if is_good and moves:
        is_good = await _ask_for_address(request, form, person, wanted)
    if not is_good:
        return await page(request, "profile/edit.html", {"form": form}, status=HTTPStatus.UNPROCESSABLE_ENTITY)
    await profile.edit(
        services.database,
        person,
        name=form.text("name"),
        phone=form.text("phone") or None,
        language=form.text("language"),
        time_zone=form.text("time_zone"),
        at=client.at,
    )
    speak(request, language_of(form.text("language")), zone=form.text("time_zone"))
    await session.say(request, request[WORDS].gettext("Saved"))
    if moves:
        await services.queue.send_letters()
        await session.say(
            request, request[WORDS].gettext("Press the link in the letter that we sent to the new address")
        )
    raise web.HTTPSeeOther("/profile")


async def _ask_for_address(request: web.Request, form: EditForm, person: Person, wanted: str) -> bool:
    services = request.app[SERVICES]
    if not form.text("password"):
        form.complain("password", marked("To change the address, enter your password"))
        return False
    try:
        await profile.ask_for_address(
            services.database,
            services.passwords,
            request.app[THROTTLE],
            request.app[LINKS],
            person=person,
            email=wanted,
            password=form.text("password"),
            at=request[CLIENT].at,
        )
    except recovery.WrongPassword:
        form.complain("password", marked("The password did not match. Check the keyboard layout"))
        return False
    return True


async def switch_notice(request: web.Request) -> web.Response:
    """The form carries the wanted state, so that a repeat changes nothing."""
    wanted = (await request.post()).get("on")
    if wanted not in {"0", "1"}:
        raise web.HTTPBadRequest
    try:
        await profile.switch_notice(
            request.app[SERVICES].database, viewer_of(request).person, request.match_info["name"], on=wanted == "1"
        )
    except KeyError:
        raise web.HTTPNotFound from None
    text = request[WORDS].gettext("Saved")
    if wants_json(request):
        return answer({"on": wanted == "1", "text": text})
    await session.say(request, text)
    raise web.HTTPSeeOther("/profile")


async def show_password(request: web.Request) -> web.Response:
    return await page(request, "profile/password.html", {"form": blank(PasswordForm, request)})


async def change_password(request: web.Request) -> web.Response:
    services, client, person = request.app[SERVICES], request[CLIENT], viewer_of(request).person
    form = await filled(PasswordForm, request)
    is_good = form.validate()
    if is_good:
        try:
            await recovery.change_password(
                services.database,
                services.passwords,
                request.app[THROTTLE],
                request.app[SESSIONS],
                person=person,
                present=form.text("present"),
                new=form.text("password"),
                device=device_of(client.agent) or client.address,
                address=client.address,
                at=client.at,
            )
        except recovery.WrongPassword:
            form.complain("present", marked("The password did not match. Check the keyboard layout"))
            is_good = False
    if not is_good:
        return await page(request, "profile/password.html", {"form": form}, status=HTTPStatus.UNPROCESSABLE_ENTITY)
    await session.sign_in(request, person.id)
    await services.queue.send_letters()
    await session.say(request, request[WORDS].gettext("Password changed. Other sign-ins are ended"))
    raise web.HTTPSeeOther("/profile")


async def show_delete(request: web.Request) -> web.Response:
    return await page(request, "profile/delete.html", {"form": blank(DeleteForm, request)})


async def delete(request: web.Request) -> web.Response:
    services, client, person = request.app[SERVICES], request[CLIENT], viewer_of(request).person
    form = await filled(DeleteForm, request)
    is_good = form.validate()
    if is_good:
        try:
            await profile.delete_account(
                services.database,
                services.passwords,
                request.app[THROTTLE],
                request.app[SESSIONS],
                person=person,
                password=form.text("password"),
                at=client.at,
            )
        except recovery.WrongPassword:
            form.complain("password", marked("The password did not match. Check the keyboard layout"))
            is_good = False
        except profile.LastSystemUser:
            form.complain("password", marked("You are the last system user. Give somebody else this role first"))
            is_good = False
    if not is_good:
        return await page(request, "profile/delete.html", {"form": form}, status=HTTPStatus.UNPROCESSABLE_ENTITY)
    await session.sign_out(request)
    await session.say(request, request[WORDS].gettext("The account is deleted"))
    raise web.HTTPSeeOther("/login")


async def end_session(request: web.Request) -> web.Response:
    """Ending one twice is no error: what was wanted is so."""
    await request.app[SESSIONS].end(viewer_of(request).id, request.match_info["id"])
    await session.say(request, request[WORDS].gettext("That sign-in is ended"))
    raise web.HTTPSeeOther("/profile")


async def end_other_sessions(request: web.Request) -> web.Response:
    await request.app[SESSIONS].end_all(viewer_of(request).id, besides=await session.current_key(request))
    await session.say(request, request[WORDS].gettext("Other sign-ins are ended"))
    raise web.HTTPSeeOther("/profile")


async def download(request: web.Request) -> web.Response:
    data = await profile.my_data(
        request.app[SERVICES].database,
        request.app[SESSIONS],
        viewer_of(request).person,
        at=request[CLIENT].at,
    )
    return web.Response(
        body=orjson.dumps(data, option=orjson.OPT_INDENT_2, default=str),
        content_type="application/json",
        headers={"Content-Disposition": 'attachment; filename="evosync-my-data.json"'},
    )


routes = [
    web.get("/profile", show, name="profile"),
    web.get("/profile/edit", show_edit, name="profile-edit"),
    web.post("/profile/edit", edit),
    web.post("/profile/notices/{name}", switch_notice),
    web.get("/profile/change-password", show_password, name="change-password"),
    web.post("/profile/change-password", change_password),
    web.get("/profile/delete", show_delete, name="profile-delete"),
    web.post("/profile/delete", delete),
    web.post("/profile/sessions/end-others", end_other_sessions),
    web.post("/profile/sessions/{id}/end", end_session),
    web.get("/profile/data", download, name="profile-data"),
]
