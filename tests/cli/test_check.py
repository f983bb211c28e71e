"""What a container's health check learns of the process beside it, and of workers anywhere."""

import socket
from collections.abc import AsyncIterator, Iterator

import pytest
from aiohttp import web
from arq.connections import ArqRedis

from evosync.queue import HEALTH_KEY
from tests.cli.person import Person
from tests.doors import free_doors


@pytest.fixture
async def a_worker_lives(redis: ArqRedis) -> None:
    """Somewhere, and says so as arq does."""
    await redis.set(HEALTH_KEY, b"alive")


class House:
    """A process of the service as its port shows it."""

    def __init__(self) -> None:
        self.status = 200
        self.port = ""
        self.asked: list[str] = []

    async def answer(self, request: web.Request) -> web.Response:
        self.asked.append(request.path)
        return web.json_response({}, status=self.status)


@pytest.fixture
async def house() -> AsyncIterator[House]:
    house, (door,) = House(), free_doors().main
    app = web.Application()
    app.router.add_get("/{path:.*}", house.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.SockSite(runner, door).start()
    house.port = str(door.getsockname()[1])
    yield house
    await runner.cleanup()


@pytest.fixture
def silent_port() -> Iterator[str]:
    """Of a process that hangs: the system takes the call for it, and nobody answers."""
    with socket.create_server(("127.0.0.1", 0)) as door:
        yield str(door.getsockname()[1])


@pytest.mark.usefixtures("a_worker_lives")
@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0", "localhost"])  # noqa: S104 - as in a container
async def test_a_process_that_answers_with_a_worker_somewhere_is_well(person: Person, house: House, host: str) -> None:
    said = await person.types("check", EVOSYNC_HOST=host, EVOSYNC_PORT=house.port)
    assert said.code == 0
    assert "worker: alive\n" in said.out
    assert said.out.endswith("/health: answers\n")
    assert house.asked == ["/health"]


@pytest.mark.usefixtures("a_worker_lives")
async def test_a_process_that_hangs_is_ill_although_a_worker_lives_elsewhere(person: Person, silent_port: str) -> None:
    said = await person.types("check", EVOSYNC_PORT=silent_port)
    assert said.code == 1
    assert f"http://127.0.0.1:{silent_port}/health: does not answer (" in said.out
    assert "worker: alive\n" in said.out


@pytest.mark.usefixtures("a_worker_lives")
async def test_a_process_that_answers_with_an_error_is_ill(person: Person, house: House) -> None:
    house.status = 500
    said = await person.types("check", "--port", house.port)
    assert (said.code, "/health: answers 500\n" in said.out) == (1, True)


async def test_a_process_that_answers_is_ill_without_any_worker(person: Person, house: House) -> None:
    said = await person.types("check", "--port", house.port)
    assert (said.code, said.out) == (1, f"worker: none\nhttp://127.0.0.1:{house.port}/health: answers\n")


@pytest.mark.usefixtures("a_worker_lives")
async def test_where_the_port_is_left_to_the_system_arq_s_record_decides(person: Person, redis: ArqRedis) -> None:
    said = await person.types("check", EVOSYNC_PORT="0")
    assert (said.code, said.out) == (0, "worker: alive\n")
    await redis.delete(HEALTH_KEY)
    said = await person.types("check", EVOSYNC_PORT="0")
    assert (said.code, said.out) == (1, "worker: none\n")


async def test_a_redis_that_is_away_is_named(person: Person, house: House) -> None:
    said = await person.types("check", "--port", house.port, REDIS_URL="redis://127.0.0.1:9/0")
    assert said.code == 1
    assert "Redis does not answer" in said.err
