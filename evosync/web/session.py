"""The browser's session: kept in Redis, named by a cookie, made anew at each sign-in."""

import secrets

import orjson
from aiohttp import web
from aiohttp_session import Session, get_session, new_session
from aiohttp_session.redis_storage import RedisStorage

from evosync.accounts.sessions import ANONYMOUS_LIFETIME, LIFETIME, public_id
from evosync.domain.ids import UserId
from evosync.web.keys import CLIENT, SESSIONS
from evosync.web.services import Services

_USER = "user"
_SEEN = "seen"
_TOASTS = "toasts"
_LANGUAGE = "language"
_CSRF = "csrf"
"""WTForms' key for what it makes form tokens of."""
_TOUCH_SECONDS = 300


def cookie_name(*, https: bool) -> str:
    """With the prefix browsers take such a cookie from this very host and over https alone."""
    return "__Host-evosync" if https else "evosync"


def make_storage(services: Services) -> RedisStorage:
    site = services.site
    return RedisStorage(
        services.redis,
        cookie_name=cookie_name(https=site.is_https),
        max_age=int(LIFETIME.total_seconds()),
        secure=site.is_https,
        httponly=True,
        samesite="Lax",  # Strict would sign people out who come from a link in a letter
        key_factory=lambda: secrets.token_urlsafe(32),
        encoder=lambda value: orjson.dumps(value).decode(),
        decoder=orjson.loads,
    )


async def session_of(request: web.Request) -> Session:
    session = await get_session(request)
    if _USER not in session:
        session.max_age = int(ANONYMOUS_LIFETIME.total_seconds())
    return session


async def sign_in(request: web.Request, user: UserId) -> None:
    """A new session with a new key; nothing of the one before is taken along but the language."""
    old = await get_session(request)
    language = old.get(_LANGUAGE)
    if old.identity is not None:
        sessions = request.app[SESSIONS]
        if isinstance(was := old.get(_USER), int):
            await sessions.end(UserId(was), public_id(str(old.identity)))
        await sessions.redis.delete(f"{sessions.cookie}_{old.identity}")
    key = secrets.token_urlsafe(32)
    session = await new_session(request)
    session.set_new_identity(key)
    session[_USER] = user
    # Here, and not by the first page with a form: of several that are opened at once each would make one of its own.
    session[_CSRF] = secrets.token_hex(20)
    client = request[CLIENT]
    session[_SEEN] = int(client.at.timestamp())
    if language is not None:
        session[_LANGUAGE] = language
    await request.app[SESSIONS].add(user, key, agent=client.agent, address=client.address, at=client.at)


async def sign_out(request: web.Request) -> None:
    """Ends the session; what is said afterwards goes into a new one."""
    session = await get_session(request)
    user, key = session.get(_USER), session.identity
    sessions = request.app[SESSIONS]
    if key is not None:
        if isinstance(user, int):
            await sessions.end(UserId(user), public_id(str(key)))
        await sessions.redis.delete(f"{sessions.cookie}_{key}")
    await new_session(request)


async def user_of(request: web.Request) -> UserId | None:
    """Who is signed in with this request's session, if the session is still valid."""
    session = await session_of(request)
    user, key = session.get(_USER), session.identity
    if not isinstance(user, int) or key is None:
        return None
    sessions, client = request.app[SESSIONS], request[CLIENT]
    if not await sessions.is_valid(UserId(user), str(key)):
        await sign_out(request)
        return None
    if client.at.timestamp() - session.get(_SEEN, 0) > _TOUCH_SECONDS:
        session[_SEEN] = int(client.at.timestamp())
        await sessions.touch(UserId(user), str(key), at=client.at, address=client.address)
    return UserId(user)


async def current_key(request: web.Request) -> str:
    """The key of this request's session; empty for one that was not stored yet."""
    return str((await get_session(request)).identity or "")


async def say(request: web.Request, text: str, tone: str = "ok") -> None:
    """A message for the next page that is shown; never the only place of one that matters."""
    session = await session_of(request)
    session[_TOASTS] = [*session.get(_TOASTS, []), [tone, text]][-3:]


async def take_toasts(request: web.Request) -> list[tuple[str, str]]:
    session = await session_of(request)
    waiting = session.get(_TOASTS)
    if not waiting:
        return []
    del session[_TOASTS]
    return [(str(tone), str(text)) for tone, text in waiting]


async def chosen_language(request: web.Request) -> str | None:
    """What somebody who is not signed in has chosen."""
    return (await session_of(request)).get(_LANGUAGE)


async def choose_language(request: web.Request, language: str) -> None:
    (await session_of(request))[_LANGUAGE] = language
