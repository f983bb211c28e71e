"""Signing in and out."""

from http import HTTPStatus

from aiohttp import web
from wtforms import PasswordField, StringField

from evosync.accounts.signin import Verdict, sign_in
from evosync.accounts.throttle import TooFast
from evosync.web import session
from evosync.web.forms import SiteForm, at_most, blank, filled, needed, stripped
from evosync.web.keys import CLIENT, FORMAT, SERVICES, THROTTLE, VIEWER, WORDS
from evosync.web.pages.home import local_path
from evosync.web.render import page
from evosync.web.viewer import Suspended
from evosync.words.language import marked


class LoginForm(SiteForm):
    """Address and password."""

    email = StringField(
        marked("Email"), [needed(marked("Enter an address like name@example.com")), at_most(254)], filters=[stripped]
    )
    password = PasswordField(marked("Password"), [needed(marked("Enter your password")), at_most(1000)])


def _after(request: web.Request) -> str:
    return local_path(request.query.get("next", ""), default="/profile")


async def show(request: web.Request) -> web.Response:
    if request[VIEWER] is not None:
        raise web.HTTPSeeOther(_after(request))
    return await page(
        request, "public/login.html", {"form": blank(LoginForm, request), "error": "", "is_pending": False}
    )


async def submit(request: web.Request) -> web.Response:
    services, client = request.app[SERVICES], request[CLIENT]
    form = await filled(LoginForm, request)
    say = request[WORDS].gettext
    if not form.validate():
        return await _again(request, form, "", HTTPStatus.UNPROCESSABLE_ENTITY)
    try:
        attempt = await sign_in(
            services.database,
            services.passwords,
            request.app[THROTTLE],
            email=form.text("email"),
            password=form.text("password"),
            address=client.address,
            at=client.at,
        )
    except TooFast as error:
        text = say("Not so fast: try again in %(time)s", time=request[FORMAT].wait(error.wait))
        return await _again(request, form, text, HTTPStatus.TOO_MANY_REQUESTS)
    if attempt.verdict is Verdict.SUSPENDED:
        raise Suspended
    if attempt.verdict is Verdict.PENDING:
        return await _again(request, form, "", HTTPStatus.FORBIDDEN, is_pending=True)
    if attempt.verdict is Verdict.WRONG or attempt.person is None:
        text = say("Address or password did not match. Check the keyboard layout")
        return await _again(request, form, text, HTTPStatus.UNPROCESSABLE_ENTITY)
    await session.sign_in(request, attempt.person.id)
    raise web.HTTPSeeOther(_after(request))


async def _again(
    request: web.Request, form: LoginForm, error: str, status: HTTPStatus, *, is_pending: bool = False
) -> web.Response:
    return await page(
        request, "public/login.html", {"form": form, "error": error, "is_pending": is_pending}, status=status
    )


async def ask_to_leave(request: web.Request) -> web.Response:
    """A link from elsewhere must not sign anybody out, so this only asks."""
    if request[VIEWER] is None:
        raise web.HTTPSeeOther("/login")
    return await page(request, "public/logout.html")


async def leave(request: web.Request) -> web.Response:
    language = request[WORDS].language.value
    await session.sign_out(request)
    await session.choose_language(request, language)
    await session.say(request, request[WORDS].gettext("You are signed out"))
    raise web.HTTPSeeOther("/login")


routes = [
    web.get("/login", show, name="login"),
    web.post("/login", submit),
    web.get("/logout", ask_to_leave, name="logout"),
    web.post("/logout", leave),
]
