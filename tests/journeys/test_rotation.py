"""Keys are changed while the service goes on: nobody is signed out, nothing is connected anew."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from evosync.jobs.sweep import Keep, Sweep
from evosync.security.seal import Sealer
from tests.journeys.process import command, environment
from tests.journeys.visitor import Visitor, address_of, give_password, visitor
from tests.journeys.workers import done, until
from tests.sync.world import KEY, World

NEW = "the-key-that-follows-it-as-long-as-it-has-to-be"
WORD, NEXT_WORD = "the first secret of the portal", "the secret after the change"


async def test_a_change_of_the_key_and_of_the_webhook_secret_costs_no_session_and_no_connection(
    sqlite_world: World, sqlite_url: str, redis_url: str, tmp_path: Path
) -> None:
    world, folder = sqlite_world, tmp_path / "service"
    owner = await world.owner(3)
    await give_password(owner)
    environ = environment(
        world, folder, database=sqlite_url, redis=redis_url, LOG_FORMAT="json", EVOTOR_WEBHOOK_SECRET=WORD
    )

    async def no_letters() -> int:
        return 0

    async with visitor() as reader:

        @asynccontextmanager
        async def started(**changed: str) -> AsyncIterator[Visitor]:
            async with command(folder, environ | changed, "serve", "--port", "0") as service:
                reader.address = await address_of(service)
                yield reader
                assert await service.stop() == 0

        async def is_in_step(price: int) -> None:
            owner.change(next(iter(owner.store.products.values())), price=price)
            assert (await reader.post("/sync/run"))[0] == 303
            await until(lambda: done(owner))
            owner.assert_mirrored()

        async with started():
            await reader.sign_in(owner)
            await is_in_step(100)
            assert (await reader.hook(WORD), await reader.hook(NEXT_WORD)) == (400, 401)

        both = {
            "SECRET_KEY": NEW, "SECRET_KEY_PREVIOUS": KEY,
            "EVOTOR_WEBHOOK_SECRET": NEXT_WORD, "EVOTOR_WEBHOOK_SECRET_PREVIOUS": WORD,
        }  # fmt: skip
        async with started(**both):
            assert (await reader.get("/profile"))[0] == 200, "signed in as before"
            await is_in_step(200)
            assert (await reader.hook(WORD), await reader.hook(NEXT_WORD)) == (400, 400)
            sweep = Sweep(world.database, Sealer([NEW, KEY]), no_letters, Keep(), world.clock)
            # What the hourly sweep does: both tokens. The service's own does, if the hour strikes just now.
            assert (await sweep())["sealed_anew"] in {0, 2}

        async with started(SECRET_KEY=NEW, EVOTOR_WEBHOOK_SECRET=NEXT_WORD):
            assert (await reader.get("/profile"))[0] == 200
            await is_in_step(300)
            assert (await reader.hook(WORD), await reader.hook(NEXT_WORD)) == (401, 400)
