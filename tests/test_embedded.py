"""The embedded server: it answers, keeps what it is told, is shared, and never outlives the service."""

import asyncio
import contextlib
import errno
import os
import signal
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as RedisConnectionError

from evosync import embedded
from evosync.embedded import EmbeddedRedis, EmbeddedRedisError

pytestmark = pytest.mark.timeout(120)

HOLDER = """
import asyncio, sys
from pathlib import Path
from evosync.embedded import EmbeddedRedis

async def main():
    async with EmbeddedRedis(Path(sys.argv[1])) as server:
        print(server._process.pid if server._process else 0, flush=True)
        await asyncio.Event().wait()

asyncio.run(main())
"""


@contextlib.asynccontextmanager
async def client(server: EmbeddedRedis) -> AsyncIterator[Redis]:
    redis = Redis.from_url(server.url, decode_responses=True)
    try:
        yield redis
    finally:
        await redis.aclose()


async def until(holds: Callable[[], Awaitable[bool]]) -> None:
    """Wait for a condition in another process, which sends no event; the test's own time limit ends it."""
    while not await holds():
        await asyncio.sleep(0.02)


async def pings(server: EmbeddedRedis) -> bool:
    try:
        async with client(server) as redis:
            return bool(await redis.ping())
    except (RedisConnectionError, OSError):
        return False


def is_alive(pid: int) -> bool:
    try:
        # A process that ended and was not yet collected is a zombie: it is gone.
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@contextlib.contextmanager
def holder(data_dir: Path) -> Iterator[tuple[subprocess.Popen[str], int]]:
    process = subprocess.Popen([sys.executable, "-c", HOLDER, str(data_dir)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield process, int(process.stdout.readline())
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


async def test_it_keeps_what_it_was_told_over_a_restart(tmp_path: Path) -> None:
    async with EmbeddedRedis(tmp_path) as server, client(server) as redis:
        await redis.set("till", "open")
    async with EmbeddedRedis(tmp_path) as server, client(server) as redis:
        assert await redis.get("till") == "open"


async def test_it_forgets_nothing_to_make_room_and_listens_on_no_port(tmp_path: Path) -> None:
    async with EmbeddedRedis(tmp_path) as server, client(server) as redis:
        assert await redis.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
        assert await redis.config_get("port") == {"port": "0"}
        assert (tmp_path / "redis").stat().st_mode & 0o077 == 0


async def test_a_data_directory_too_deep_for_a_socket_works_too(tmp_path: Path) -> None:
    deep = tmp_path / ("long" * 30)
    async with EmbeddedRedis(deep) as server:
        assert await pings(server)


async def test_the_server_ends_with_a_service_that_is_killed(tmp_path: Path) -> None:
    with holder(tmp_path) as (service, server_pid):
        assert is_alive(server_pid)
        service.kill()
        service.wait()

        async def gone() -> bool:
            return not is_alive(server_pid)

        await until(gone)


async def test_what_was_told_survives_a_kill_of_the_service(tmp_path: Path) -> None:
    with holder(tmp_path) as (service, _):
        async with EmbeddedRedis(tmp_path) as server, client(server) as redis:
            assert server.joined
            await redis.set("till", "open")
        service.kill()
    async with EmbeddedRedis(tmp_path) as server, client(server) as redis:
        assert not server.joined
        assert await redis.get("till") == "open"


async def test_who_joined_takes_over_when_the_owner_is_killed(tmp_path: Path) -> None:
    with holder(tmp_path) as (service, _):
        async with EmbeddedRedis(tmp_path) as server, asyncio.TaskGroup() as group:
            watch = group.create_task(server.supervise())
            assert server.joined
            service.kill()

            async def taken_over() -> bool:
                return not server.joined and await pings(server)

            await until(taken_over)
            watch.cancel()


async def test_who_joined_leaves_the_server_running(tmp_path: Path) -> None:
    async with EmbeddedRedis(tmp_path) as first:
        async with EmbeddedRedis(tmp_path) as second:
            assert second.joined
            assert second.url == first.url
        assert await pings(first)


async def test_a_server_that_dies_is_started_again_with_its_data(tmp_path: Path) -> None:
    async with EmbeddedRedis(tmp_path) as server, asyncio.TaskGroup() as group:
        watch = group.create_task(server.supervise())
        async with client(server) as redis:
            await redis.set("till", "open")
        assert server._process is not None
        died = server._process.pid
        os.kill(died, signal.SIGKILL)

        async def another() -> bool:
            return server._process is not None and server._process.pid != died and await pings(server)

        await until(another)
        async with client(server) as redis:
            assert await redis.get("till") == "open"
        watch.cancel()


async def test_a_machine_that_cannot_start_it_at_first_is_asked_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = asyncio.create_subprocess_exec
    refused: list[OSError] = []

    async def first_refused(*command: Any, **options: Any) -> asyncio.subprocess.Process:
        if not refused:
            refused.append(OSError(errno.EMFILE, os.strerror(errno.EMFILE)))
            raise refused[0]
        return await start(*command, **options)

    async with EmbeddedRedis(tmp_path) as server, asyncio.TaskGroup() as group:
        watch = group.create_task(server.supervise())
        assert server._process is not None
        died = server._process.pid
        monkeypatch.setattr(asyncio, "create_subprocess_exec", first_refused)
        os.kill(died, signal.SIGKILL)

        async def another() -> bool:
            return server._process is not None and server._process.pid != died and await pings(server)

        await until(another)
        assert refused
        watch.cancel()


async def test_an_owner_whose_server_does_not_answer_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded, "_STARTED_WITHIN", 0.3)
    (tmp_path / "redis").mkdir()
    held = subprocess.Popen(["flock", str(tmp_path / "redis" / "lock"), "cat"], stdin=subprocess.PIPE)
    try:

        async def is_held() -> bool:
            probe = await asyncio.create_subprocess_exec("flock", "-n", str(tmp_path / "redis" / "lock"), "true")
            return await probe.wait() != 0

        await until(is_held)
        with pytest.raises(EmbeddedRedisError, match="does not answer"):
            async with EmbeddedRedis(tmp_path):
                pass
    finally:
        held.communicate()


async def test_a_server_that_cannot_start_says_why(tmp_path: Path) -> None:
    (tmp_path / "redis" / "redis.sock").mkdir(parents=True)
    with pytest.raises(EmbeddedRedisError, match=r"did not start: .*Failed opening Unix socket"):
        async with EmbeddedRedis(tmp_path):
            pass


def test_without_the_extra_the_error_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(EmbeddedRedisError, match=r"evosync\[embedded\]"):
        EmbeddedRedis(tmp_path)


def test_it_refuses_to_start_in_a_thread_that_may_end_before_the_service(tmp_path: Path) -> None:
    said: list[str] = []

    async def start() -> None:
        try:
            async with EmbeddedRedis(tmp_path):
                pass
        except EmbeddedRedisError as error:
            said.append(str(error))

    thread = threading.Thread(target=lambda: asyncio.run(start()))
    thread.start()
    thread.join()
    assert said == ["the embedded server must be started from the main thread"]
