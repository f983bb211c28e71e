"""A run that hangs in a worker that lives: nobody but the worker itself can notice."""

import sys
from collections.abc import Mapping, Sequence
from datetime import timedelta
from functools import partial
from pathlib import Path

from evosync import app, health
from evosync.__main__ import main
from tests.journeys.process import _begun, _take_over, environment
from tests.journeys.workers import done, until, wish
from tests.sync.world import World

STUCK = timedelta(seconds=3)
"""Twenty minutes, as they come, would be long for a test."""


def _impatient(output: str, environ: Mapping[str, str], arguments: Sequence[str]) -> None:
    _take_over(output, environ)
    # In a process of its own, which nobody else uses.
    vars(health)["STUCK"] = STUCK
    vars(app)["Nurse"] = partial(health.Nurse, pause=1.0)
    sys.exit(main(arguments))


async def test_a_run_whose_till_never_answers_is_ended_and_begun_anew_in_a_worker_that_lives(
    sqlite_world: World, sqlite_url: str, redis_url: str, tmp_path: Path
) -> None:
    world = sqlite_world
    owner = await world.owner(5)
    hung = world.sandbox.fault("hold", "evotor.products")
    environ = environment(world, tmp_path / "service", database=sqlite_url, redis=redis_url)
    environ["EVOTOR_TIMEOUT_SECONDS"] = "600"
    with _begun(_impatient, tmp_path / "service", environ, ("worker", "--port", "0")) as worker:
        await wish(world, redis_url, owner)
        await world.met(hung)
        await until(lambda: done(owner))
        assert worker.said.count("run is stuck, begun anew") == 1
        assert await worker.stop() == 0
    owner.assert_mirrored()
    assert [run[1:] for run in await owner.runs() if run[1] != "read_only"] == [("cut", "lost"), ("ok", "")]
    hung.release()
