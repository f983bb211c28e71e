"""A process whose event loop is held: from within, nothing can be done about it but to end."""

import asyncio
import logging
import re
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from evosync.__main__ import main
from evosync.cli import serve, watchdog
from tests.journeys.process import Process, _begun, _take_over, environment
from tests.journeys.workers import until
from tests.sync.world import World

log = logging.getLogger(__name__)

LIMIT = 3.0
"""Two minutes, as they come, would be long for a test."""


def sleeps_for_good() -> None:
    time.sleep(600)


def sleeps_in_the_log() -> None:
    """As where nobody reads our output and the pipe is full."""
    lock = logging.getLogger().handlers[0].lock
    assert lock is not None
    with lock:
        time.sleep(600)


def searches_for_good() -> None:
    """Without letting any other thread of the interpreter in."""
    re.match(r"(a+)+$", "a" * 60 + "b")


def is_busy() -> None:
    """Far longer than the limit in all; now and then the loop comes to its turn."""
    _busy(left=8)


def _busy(left: int) -> None:
    time.sleep(LIMIT / 4)
    log.warning("busy, %d left", left)
    if left:
        asyncio.get_running_loop().call_later(0.01, _busy, left - 1)


def nothing_special() -> None:
    pass


def _held(output: str, environ: Mapping[str, str], arguments: Sequence[str], hold: Callable[[], None]) -> None:
    _take_over(output, environ)
    # In a process of its own, which nobody else uses. `settle` is called when all is open.
    vars(watchdog).update(LIMIT=LIMIT)
    vars(serve)["settle"] = lambda: asyncio.get_running_loop().call_later(0.2, hold)
    sys.exit(main(arguments))


@pytest.fixture
def held(sqlite_world: World, sqlite_url: str, redis_url: str, tmp_path: Path) -> "Held":
    return Held(tmp_path, environment(sqlite_world, tmp_path / "service", database=sqlite_url, redis=redis_url))


class Held:
    """Begins commands of which something holds the loop."""

    def __init__(self, folder: Path, environ: dict[str, str]) -> None:
        self._begun = partial(_begun, _held, folder / "service", environ)

    @contextmanager
    def by(self, hold: Callable[[], None], *, command: str = "worker") -> Iterator[Process]:
        with self._begun((command, "--port", "0"), hold) as process:
            yield process


async def said(process: Process, words: str) -> None:
    async def found() -> bool:
        return words in process.said

    await until(found)


@pytest.mark.parametrize("command", ["serve", "web", "worker"])
async def test_a_process_whose_event_loop_stands_still_says_where_and_ends(held: Held, command: str) -> None:
    with held.by(sleeps_for_good, command=command) as process:
        assert await process.ended() == watchdog.ENDED != 0
        assert "event loop stands still, the process ends" in process.said
        assert "in sleeps_for_good" in process.said


async def test_one_that_holds_its_own_log_ends_all_the_same(held: Held) -> None:
    with held.by(sleeps_in_the_log) as process:
        assert await process.ended() == watchdog.ENDED
        assert "in sleeps_in_the_log" in process.said


async def test_one_whose_interpreter_is_held_as_well_is_ended_by_the_kernel(held: Held) -> None:
    with held.by(searches_for_good) as process:
        assert await process.ended() == -signal.SIGPROF
        assert "in searches_for_good" in process.said


async def test_one_that_is_busy_but_comes_to_its_turn_goes_on(held: Held) -> None:
    with held.by(is_busy) as process:
        await said(process, "busy, 0 left")
        assert await process.stop() == 0
        assert "stands still" not in process.said


async def test_one_that_was_suspended_goes_on(held: Held) -> None:
    with held.by(nothing_special) as process:
        await said(process, "serving")
        process.freeze()
        await asyncio.sleep(LIMIT * 1.5)
        process.thaw()
        await asyncio.sleep(LIMIT / 2)  # time enough for whoever counts by the clock
        assert await process.stop() == 0
        assert "stands still" not in process.said
