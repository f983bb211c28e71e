"""One request can be followed through the log: from the page through the queue to the calls at both clouds."""

import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from evosync.domain.mirror import Scope
from tests.journeys.process import CALM, command, environment
from tests.journeys.visitor import PASSWORD, address_of, give_password, lines, visitor
from tests.journeys.workers import done, until
from tests.sync.world import KEY, World


async def _between_ticks() -> bool:
    return 1 < time.time() % 10 < 8


@pytest.mark.parametrize("commands", [("serve",), ("web", "worker")], ids=["one process", "web and worker apart"])
async def test_the_log_carries_request_and_owner_from_the_page_to_the_call_at_vk(
    sqlite_world: World, sqlite_url: str, redis_url: str, tmp_path: Path, commands: Sequence[str]
) -> None:
    world = sqlite_world
    anna, boris = await world.owner(3), await world.owner(3)
    await give_password(anna)
    await world.ledger.want(boris.user, scope=Scope.FULL, reason="test", at=world.clock())
    folder = tmp_path / "service"
    more = {"LOG_FORMAT": "json", "LOG_LEVEL": "DEBUG"} | CALM
    environ = environment(world, folder, database=sqlite_url, redis=redis_url, **more)
    async with AsyncExitStack() as stack:
        processes = [
            await stack.enter_async_context(command(folder, environ, each, "--port", "0")) for each in commands
        ]
        reader = await stack.enter_async_context(visitor())
        for process in processes:
            address = await address_of(process)
            reader.address = reader.address or address
        await reader.sign_in(anna)
        await until(_between_ticks)  # a tick's nudge between the wish and the page's own would be no request's
        status, asked = await reader.post("/sync/run")
        assert status == 303
        await until(lambda: done(anna))
        await until(lambda: done(boris))
        assert [await process.stop() for process in processes] == [0] * len(processes)
    of_pages, of_runs = lines(processes[0]), lines(processes[-1])
    [page] = [line for line in of_pages if line.get("request_id") == asked and line["event"] == "request"]
    assert (page["method"], page["path"], page["user_id"]) == ("POST", "/sync/run", anna.user)
    mine = [line for line in of_runs if line.get("request_id") == asked]
    calls = [line for line in mine if line["event"] == "cloud call"]
    assert {"market.add", "stores"} <= {line["method"] for line in calls}
    assert {line["user_id"] for line in calls} == {anna.user}
    [run] = {line["run_id"] for line in calls}
    [ended] = [line for line in mine if line["event"] == "run ended"]
    assert (ended["user_id"], ended["run_id"], ended["did"]["created"]) == (anna.user, run, 3)
    # Others go on at the same time, in the same process: nothing of theirs bears her marks, nor do her own later runs.
    others = [line for line in of_runs if line["event"] == "cloud call" and line not in calls]
    assert {boris.user} <= {line["user_id"] for line in others} <= {anna.user, boris.user}
    assert {line["user_id"] for line in others if line["method"] == "market.add"} == {boris.user}
    for secret in (KEY, PASSWORD, anna.vk_token, *world.sandbox.tokens, *world.sandbox.accounts):
        assert not any(secret in process.said for process in processes)
