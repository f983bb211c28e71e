"""Server-sent events: how a run goes, in finished words, from what the run wrote into the database.

So it does not matter in which process the run is.
"""

import asyncio
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from typing import Any, Final

import orjson
from aiohttp import web
from sqlalchemy.exc import SQLAlchemyError

from evosync.db import history
from evosync.domain.ids import UserId
from evosync.web.keys import FORMAT, SERVICES, WORDS
from evosync.web.render import fragment
from evosync.web.standing import Paces, SyncState, seen_of, state_of, steps_of
from evosync.web.viewer import viewer_of

MOST: Final = 4
"""Streams of one owner at a time: a few open pages."""
MOST_OF_ALL: Final = 2000
LOOK: Final = 1.0
"""Seconds between two looks at the database."""
LONGEST: Final = 300.0
"""Seconds of one stream. The browser then asks again, and whether it still may is looked at anew."""
QUIET: Final = 15.0
"""Seconds after which a stream without news gets an empty line, so that nobody between takes it for dead."""
_AGAIN_AFTER: Final = b"retry: 3000\n\n"

ON: Final = frozenset({SyncState.RUNNING, SyncState.QUEUED})
"""States in which there is something to look on at."""


class Live:
    """The streams that are open. `look`: see `LOOK`."""

    def __init__(self, *, look: float = LOOK) -> None:
        self.look = look
        self.paces = Paces()
        self.stopping = asyncio.Event()
        self._open: Counter[UserId] = Counter()

    @contextmanager
    def room(self, user: UserId) -> Iterator[None]:
        """Raises `HTTPTooManyRequests` where too many are open."""
        if self._open[user] >= MOST or self._open.total() >= MOST_OF_ALL:
            raise web.HTTPTooManyRequests
        self._open[user] += 1
        try:
            yield
        finally:
            self._open[user] -= 1
            if not self._open[user]:
                del self._open[user]

    async def pause(self) -> bool:
        """Until the next look; True if the site is being stopped."""
        with suppress(TimeoutError):
            async with asyncio.timeout(self.look):
                await self.stopping.wait()
        return self.stopping.is_set()


LIVE = web.AppKey("live", Live)


def setup(app: web.Application) -> None:
    app[LIVE] = Live()
    app.on_shutdown.append(_stop)


async def _stop(app: web.Application) -> None:
    """Before the server waits for its open answers to end."""
    app[LIVE].stopping.set()


async def events(request: web.Request) -> web.StreamResponse:
    """`{state, done, total, text, left, steps}` on each change, and at last `{over: true}`."""
    live = request.app[LIVE]
    with live.room(viewer_of(request).id):
        stream = web.StreamResponse(
            headers={"Content-Type": "text/event-stream; charset=utf-8", "X-Accel-Buffering": "no"}
        )
        await stream.prepare(request)
        with suppress(ConnectionError, SQLAlchemyError):  # what has begun as a stream cannot become an error page
            await stream.write(_AGAIN_AFTER)
            await _tell(request, stream, live)
        return stream


async def _tell(request: web.Request, stream: web.StreamResponse, live: Live) -> None:
    loop = asyncio.get_running_loop()
    ends_at = loop.time() + LONGEST
    said: dict[str, Any] = {}
    said_at = loop.time()
    while loop.time() < ends_at and not _is_gone(request):
        news = await _news(request, live)
        if news != said:
            await stream.write(b"data: " + orjson.dumps(news) + b"\n\n")
            said, said_at = news, loop.time()
        elif loop.time() - said_at > QUIET:
            await stream.write(b":\n\n")
            said_at = loop.time()
        if "over" in news or await live.pause():
            return


def _is_gone(request: web.Request) -> bool:
    return request.transport is None or request.transport.is_closing()


async def _news(request: web.Request, live: Live) -> dict[str, Any]:
    services, user = request.app[SERVICES], viewer_of(request).id
    now = await services.database.read(lambda connection: history.now(connection, user))
    state = state_of(now, services.clock())
    # A page that shows another state is read anew: its sign says what no bar can.
    if state not in ON or request.query.get("seen", state.value) != state.value:
        return {"over": True, "state": state.value}
    seen = seen_of(now, state, live.paces, request[WORDS], request[FORMAT])
    steps = ""
    if state is SyncState.RUNNING and now.going is not None:
        steps = fragment(request, "sync/steps.html", {"steps": steps_of(now.going, request[WORDS])})
    return {"state": state.value, **asdict(seen), "steps": steps}
