"""A forgotten password, and the invitation to choose a first one."""

from http import HTTPStatus

from aiohttp import web
from wtforms import BooleanField, PasswordField, StringField

from evosync.accounts import invites, recovery
from evosync.accounts.links import BadLink
from evosync.accounts.throttle import LINK_ADDRESS
from evosync.web.devices import device_of
from evosync.web.forms import SiteForm, at_most, blank, filled, needed, new_password, stripped
from evosync.web.keys import CLIENT, LINKS, SERVICES, SESSIONS, THROTTLE, WORDS
from evosync.web.pages.account import EmailForm, bad_link
from evosync.web.render import page
from evosync.web.session import say, sign_out
from evosync.words.language import marked

_RULE = marked("10 characters or more, not a common one")


class ResetForm(SiteForm):
    """A new password."""

    password = PasswordField(marked("New password"), [needed(_RULE), new_password])


class InviteForm(SiteForm):
    """What a guest says before his account is his."""

    name = StringField(marked("What shall we call you"), [at_most(100)], filters=[stripped])
    password = PasswordField(marked("Password"), [needed(_RULE), new_password])
    consent = BooleanField(
        marked("I agree to the privacy policy and the terms"), [needed(marked("Without this we cannot keep your data"))]
    )


async def show_forgot(request: web.Request) -> web.Response:
    context = {"form": blank(EmailForm, request), "is_sent": "sent" in request.query}
    return await page(request, "public/forgot.html", context)


async def forgot(request: web.Request) -> web.Response:
    services, client = request.app[SERVICES], request[CLIENT]
    form = await filled(EmailForm, request)
    if not form.validate():
        context = {"form": form, "is_sent": False}
        return await page(request, "public/forgot.html", context, status=HTTPStatus.UNPROCESSABLE_ENTITY)
    await recovery.forgot(
        services.database,
        request.app[THROTTLE],
        request.app[LINKS],
        email=form.text("email"),
        address=client.address,
        at=client.at,
    )
    await services.queue.send_letters()
    raise web.HTTPSeeOther("/forgot-password?sent=1")


async def show_reset(request: web.Request) -> web.Response:
    secret = request.query.get("token", "")
    try:
        person = await recovery.look_at_reset(request.app[SERVICES].database, secret, at=request[CLIENT].at)
    except BadLink:
        return await bad_link(request, "/forgot-password")
    context = {"form": blank(ResetForm, request), "token": secret, "email": (person.email or "") if person else ""}
    return await page(request, "public/reset.html", context)


async def reset(request: web.Request) -> web.Response:
    services, client = request.app[SERVICES], request[CLIENT]
    await request.app[THROTTLE].take(LINK_ADDRESS, client.address)
    secret = str((await request.post()).get("token", ""))
    form = await filled(ResetForm, request)
    try:
        person = await recovery.look_at_reset(services.database, secret, at=client.at)
        if not form.validate():
            context = {"form": form, "token": secret, "email": (person.email or "") if person else ""}
            return await page(request, "public/reset.html", context, status=HTTPStatus.UNPROCESSABLE_ENTITY)
        await recovery.reset(
            services.database,
            services.passwords,
            request.app[SESSIONS],
            secret=secret,
            password=form.text("password"),
            device=device_of(client.agent) or client.address,
            address=client.address,
            at=client.at,
        )
    except BadLink:
        return await bad_link(request, "/forgot-password")
    await services.queue.send_letters()
    await sign_out(request)
    await say(request, request[WORDS].gettext("Password set. Sign in with it"))
    raise web.HTTPSeeOther("/login")


async def show_invite(request: web.Request) -> web.Response:
    secret = request.query.get("token", "")
    try:
        person = await invites.look_at_invitation(request.app[SERVICES].database, secret, at=request[CLIENT].at)
    except BadLink:
        return await bad_link(request, "/forgot-password")
    form = blank(InviteForm, request, data={"name": person.name if person else ""})
    return await page(request, "public/invite.html", {"form": form, "token": secret, "person": person})


async def invite(request: web.Request) -> web.Response:
    services, client = request.app[SERVICES], request[CLIENT]
    await request.app[THROTTLE].take(LINK_ADDRESS, client.address)
    secret = str((await request.post()).get("token", ""))
    form = await filled(InviteForm, request)
    try:
        person = await invites.look_at_invitation(services.database, secret, at=client.at)
        if not form.validate():
            context = {"form": form, "token": secret, "person": person}
            return await page(request, "public/invite.html", context, status=HTTPStatus.UNPROCESSABLE_ENTITY)
        await invites.accept(
            services.database,
            services.passwords,
            request.app[SESSIONS],
            secret=secret,
            name=form.text("name") or (person.name if person else ""),
            password=form.text("password"),
            address=client.address,
            at=client.at,
        )
    except BadLink:
        return await bad_link(request, "/forgot-password")
    await sign_out(request)
    await say(request, request[WORDS].gettext("Password set. Sign in with it"))
    raise web.HTTPSeeOther("/login")


routes = [
    web.get("/forgot-password", show_forgot, name="forgot-password"),
    web.post("/forgot-password", forgot),
    web.get("/reset-password", show_reset, name="reset-password"),
    web.post("/reset-password", reset),
    web.get("/invite", show_invite, name="invite"),
    web.post("/invite", invite),
]
