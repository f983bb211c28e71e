"""Ends a process whose event loop stands still for good: cron, nurse and `/health` stand still with it.

Nothing within the loop can notice, and Docker only marks the container; once the process has ended, whoever started it
starts it again. A run in hand ends as with a process that was killed.
"""

import asyncio
import faulthandler
import logging
import os
import signal
import sys
import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

log = logging.getLogger(__name__)

LIMIT: Final = 120.0
"""Seconds; what is slow and honest holds the loop for some of them at most."""

ENDED: Final = os.EX_SOFTWARE
"""The exit code."""

_WAKES: Final = 24
_STDERR: Final = 2
_LAST_WORDS: Final = 5.0

_CORES: Final = max(1, (os.cpu_count() or 1) // 8)
"""So much faster may honest threads use up CPU time."""


class Watchdog:
    """A thread that asks the loop for an answer, again and again, and counts for how many of its wakes none came.

    Its wakes and not the clock: while the machine or the process is suspended it does not wake either, so that nothing
    has been missed. Who holds the interpreter (an endless regular expression) keeps the thread from waking too: for him
    the kernel counts the CPU time used since its last wake, and SIGPROF ends the process.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, limit: float) -> None:
        self._loop = loop
        self._limit = limit
        self._left = threading.Event()
        self._missed = 0
        self._watched = threading.get_ident()
        self._thread = threading.Thread(target=self._walk, name="watchdog", daemon=True)

    def start(self) -> None:
        faulthandler.register(signal.SIGPROF, file=_STDERR, all_threads=True, chain=True)
        self._thread.start()

    def stop(self) -> None:
        self._left.set()
        self._thread.join()
        signal.setitimer(signal.ITIMER_PROF, 0)
        faulthandler.unregister(signal.SIGPROF)

    def _walk(self) -> None:
        while not self._left.wait(self._limit / _WAKES):
            signal.setitimer(signal.ITIMER_PROF, self._limit * _CORES)
            if self._missed >= _WAKES:
                self._end()
            self._missed += 1
            self._loop.call_soon_threadsafe(self._answer)

    def _answer(self) -> None:
        self._missed = 0

    def _end(self) -> None:
        # Who holds the loop may hold the log too, or both wait for a reader of our output: the words have five seconds.
        words = threading.Thread(target=self._say_why, name="last-words", daemon=True)
        words.start()
        words.join(_LAST_WORDS)
        os._exit(ENDED)

    def _say_why(self) -> None:
        stack = "".join(traceback.format_stack(sys._current_frames().get(self._watched)))  # noqa: SLF001 - no other way
        os.write(_STDERR, f"The event loop stands still, here:\n{stack}".encode())
        log.critical("event loop stands still, the process ends", extra={"seconds": round(self._limit)})


@contextmanager
def watched() -> Iterator[None]:
    """For a process of its own, in whose main thread the loop runs."""
    watchdog = Watchdog(asyncio.get_running_loop(), LIMIT)
    watchdog.start()
    try:
        yield
    finally:
        watchdog.stop()


__all__ = ["ENDED", "LIMIT", "watched"]
