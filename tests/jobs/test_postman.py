"""The postman and the sweeper: a round that hangs is given up, and the next one comes."""

import asyncio

import pytest

from evosync.jobs.postman import Postman, walking
from evosync.jobs.sweep import Sweeper, sweeping


class Round:
    """Hangs at the first time."""

    def __init__(self) -> None:
        self.begun = 0
        self.ended = asyncio.Event()

    async def __call__(self) -> int:
        self.begun += 1
        if self.begun == 1:
            await asyncio.Event().wait()
        self.ended.set()
        return 0


async def test_a_look_at_the_outbox_that_hangs_is_given_up_and_done_again(caplog: pytest.LogCaptureFixture) -> None:
    look = Round()
    async with asyncio.timeout(30), walking(Postman(look, pause=0.01, limit=0.05)):
        await look.ended.wait()
    assert "letters not sent" in caplog.text


async def test_a_sweep_that_hangs_is_given_up_and_the_next_one_sweeps(caplog: pytest.LogCaptureFixture) -> None:
    sweep = Round()
    sweeper = Sweeper(sweep, limit=0.05)
    sweeper.wake()
    async with asyncio.timeout(30), sweeping(sweeper):
        while "sweep failed" not in caplog.text:
            await asyncio.sleep(0.01)
        sweeper.wake()
        await sweep.ended.wait()
