"""Sends letters in this process: when told of one, and now and then by itself."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

log = logging.getLogger(__name__)

ROUND_SECONDS = 20.0
"""How often the outbox is looked at untold: for letters put off, and for those whose announcement was lost."""

_LIMIT = 600.0
"""Seconds for one look, which begins no letter after four minutes and gives each four: one that takes longer hangs."""


class Postman:
    """`send_due` sends what is due and is safe in several processes at once.

    One that takes longer than `limit` seconds is given up. It is done again: what it had in hand waits in the outbox.
    """

    def __init__(
        self, send_due: Callable[[], Awaitable[int]], *, pause: float = ROUND_SECONDS, limit: float = _LIMIT
    ) -> None:
        self._send_due = send_due
        self._pause = pause
        self._limit = limit
        self._told = asyncio.Event()

    def wake(self) -> None:
        """There is a letter."""
        self._told.set()

    async def walk(self) -> None:
        """Until cancelled."""
        while True:
            self._told.clear()
            try:
                async with asyncio.timeout(self._limit):
                    await self._send_due()
            except Exception:  # the outbox is looked at again; a letter lost for a stack trace would be worse
                log.exception("letters not sent")
            with suppress(TimeoutError):
                async with asyncio.timeout(self._pause):
                    await self._told.wait()


@asynccontextmanager
async def walking(postman: Postman) -> AsyncIterator[None]:
    """For the application's cleanup contexts. `send_due` may take its time on the way out: for the letter in hand."""
    task = asyncio.create_task(postman.walk(), name="postman")
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
