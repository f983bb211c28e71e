"""A run that hangs in a worker that lives: nobody but the worker itself can notice."""

from pathlib import Path

from tests.journeys.impatient import impatient_worker
from tests.journeys.process import CALM, environment
from tests.journeys.workers import done, until, wish
from tests.sync.world import World


async def test_a_run_whose_till_never_answers_is_ended_and_begun_anew_in_a_worker_that_lives(
    sqlite_world: World, sqlite_url: str, redis_url: str, tmp_path: Path
) -> None:
    world = sqlite_world
    owner = await world.owner(5)
    hung = world.sandbox.fault("hold", "evotor.products")
    environ = environment(world, tmp_path / "service", database=sqlite_url, redis=redis_url, **CALM)
    environ["EVOTOR_TIMEOUT_SECONDS"] = "600"
    with impatient_worker(tmp_path / "service", environ) as worker:
        await wish(world, redis_url, owner)
        await world.met(hung)
        await until(lambda: done(owner))
        assert worker.said.count("run is stuck, begun anew") == 1
        assert await worker.stop() == 0
    owner.assert_mirrored()
    assert [run[1:] for run in await owner.runs() if run[1] != "read_only"] == [("cut", "lost"), ("ok", "")]
    hung.release()
