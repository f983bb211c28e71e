"""One request can be followed through the log: from the page through the queue to the calls at both clouds."""

from pathlib import Path

from evosync.domain.mirror import Scope
from tests.journeys.process import command, environment
from tests.journeys.visitor import PASSWORD, address_of, give_password, is_done, lines, until, visitor
from tests.sync.world import KEY, World


async def test_the_log_carries_request_and_owner_from_the_page_to_the_call_at_vk(
    sqlite_world: World, sqlite_url: str, redis_url: str, tmp_path: Path
) -> None:
    world = sqlite_world
    anna, boris = await world.owner(3), await world.owner(3)
    await give_password(anna)
    await world.ledger.want(boris.user, scope=Scope.FULL, reason="test", at=world.clock())
    more = {"LOG_FORMAT": "json", "LOG_LEVEL": "DEBUG"}
    environ = environment(world, tmp_path / "service", database=sqlite_url, redis=redis_url, **more)
    async with command(tmp_path / "service", environ, "serve", "--port", "0") as service, visitor() as reader:
        reader.address = await address_of(service)
        await reader.sign_in(anna)
        status, asked = await reader.post("/sync/run")
        assert status == 303
        await until(lambda: is_done(anna))
        await until(lambda: is_done(boris))
        assert await service.stop() == 0
    found = lines(service)
    mine = [line for line in found if line.get("request_id") == asked]
    [page] = [line for line in mine if line["event"] == "request"]
    assert (page["method"], page["path"], page["user_id"]) == ("POST", "/sync/run", anna.user)
    calls = [line for line in mine if line["event"] == "cloud call"]
    assert {"market.add", "stores"} <= {line["method"] for line in calls}
    assert {line["user_id"] for line in calls} == {anna.user}
    assert len({line["run_id"] for line in calls}) == 1
    assert [line["did"]["created"] for line in mine if line["event"] == "run ended"] == [3]
    # Others go on at the same time, in the same process: nothing of theirs bears her marks.
    others = [line for line in found if line["event"] == "cloud call" and line not in calls]
    assert {line["user_id"] for line in others} == {anna.user, boris.user} or {boris.user}
    assert all(line.get("request_id") != asked for line in others)
    for secret in (KEY, PASSWORD, anna.vk_token, *world.sandbox.tokens, *world.sandbox.accounts):
        assert secret not in service.said
