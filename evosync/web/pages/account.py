"""Making an account and confirming an address."""

from http import HTTPStatus

from aiohttp import web
from wtforms import BooleanField, PasswordField, StringField

from evosync.accounts import signup
from evosync.accounts.links import BadLink
from evosync.accounts.throttle import LINK_ADDRESS
from evosync.db.accounts import Taken
from evosync.db.single_use import Purpose
from evosync.web.forms import SiteForm, at_most, blank, email, filled, needed, new_password, stripped
from evosync.web.keys import CLIENT, LINKS, SERVICES, THROTTLE, VIEWER, WORDS
from evosync.web.pages.home import local_path
from evosync.web.render import page
from evosync.web.session import say
from evosync.words.format import DEFAULT_ZONE
from evosync.words.language import marked

_NO_ADDRESS = marked("Enter an address like name@example.com")


class RegisterForm(SiteForm):
    """A new account."""

    name = StringField(marked("What shall we call you"), [at_most(100)], filters=[stripped])
    email = StringField(marked("Email"), [needed(_NO_ADDRESS), at_most(254), email], filters=[stripped])
    password = PasswordField(
        marked("Password"), [needed(marked("10 characters or more, not a common one")), new_password]
    )
    consent = BooleanField(
        marked("I agree to the privacy policy and the terms"), [needed(marked("Without this we cannot keep your data"))]
    )


class EmailForm(SiteForm):
    """An address to which a letter goes."""

    email = StringField(marked("Email"), [needed(_NO_ADDRESS), at_most(254), email], filters=[stripped])


async def show_register(request: web.Request) -> web.Response:
    if request[VIEWER] is not None:
        raise web.HTTPSeeOther("/profile")
    return await page(request, "public/register.html", {"form": blank(RegisterForm, request)})


async def register(request: web.Request) -> web.Response:
    services, client = request.app[SERVICES], request[CLIENT]
    form = await filled(RegisterForm, request)
    if not form.validate():
        return await page(request, "public/register.html", {"form": form}, status=HTTPStatus.UNPROCESSABLE_ENTITY)
    await signup.register(
        services.database,
        services.passwords,
        request.app[THROTTLE],
        request.app[LINKS],
        email=form.text("email"),
        password=form.text("password"),
        name=form.text("name"),
        language=request[WORDS].language.value,
        time_zone=DEFAULT_ZONE,
        address=client.address,
        at=client.at,
    )
    await services.queue.send_letters()
    raise web.HTTPSeeOther("/resend-confirm?sent=1")


async def show_resend(request: web.Request) -> web.Response:
    context = {"form": blank(EmailForm, request), "is_sent": "sent" in request.query}
    return await page(request, "public/resend.html", context)


async def resend(request: web.Request) -> web.Response:
    services, client = request.app[SERVICES], request[CLIENT]
    form = await filled(EmailForm, request)
    if not form.validate():
        context = {"form": form, "is_sent": False}
        return await page(request, "public/resend.html", context, status=HTTPStatus.UNPROCESSABLE_ENTITY)
    await signup.send_again(
        services.database,
        request.app[THROTTLE],
        request.app[LINKS],
        email=form.text("email"),
        address=client.address,
        at=client.at,
    )
    await services.queue.send_letters()
    raise web.HTTPSeeOther("/resend-confirm?sent=1")


async def show_confirm(request: web.Request) -> web.Response:
    """Only shows a button: a mail scanner that follows links confirms nothing."""
    secret = request.query.get("token", "")
    try:
        link = await signup.look_at_confirmation(request.app[SERVICES].database, secret, at=request[CLIENT].at)
    except BadLink:
        return await bad_link(request, "/resend-confirm")
    context = {"token": secret, "new_email": link.detail if link.purpose is Purpose.NEW_EMAIL else ""}
    return await page(request, "public/confirm.html", context)


async def confirm(request: web.Request) -> web.Response:
    services, client = request.app[SERVICES], request[CLIENT]
    await request.app[THROTTLE].take(LINK_ADDRESS, client.address)
    secret = str((await request.post()).get("token", ""))
    try:
        await signup.confirm(services.database, secret, address=client.address, at=client.at)
    except (BadLink, Taken):
        return await bad_link(request, "/resend-confirm")
    await services.queue.send_letters()
    await say(request, request[WORDS].gettext("Address confirmed"))
    raise web.HTTPSeeOther("/profile" if request[VIEWER] is not None else "/login")


async def bad_link(request: web.Request, again: str) -> web.Response:
    """Used, too old or made up: nobody is told which."""
    return await page(request, "public/bad_link.html", {"again": local_path(again)}, status=HTTPStatus.GONE)


routes = [
    web.get("/register", show_register, name="register"),
    web.post("/register", register),
    web.get("/resend-confirm", show_resend, name="resend-confirm"),
    web.post("/resend-confirm", resend),
    web.get("/confirm-email", show_confirm, name="confirm-email"),
    web.post("/confirm-email", confirm),
]
