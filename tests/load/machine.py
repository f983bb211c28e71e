"""The servers and processes that are measured, and what they take."""

import asyncio
import contextlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import psutil
import pymysql
from redis.asyncio import Redis
from sqlalchemy.engine import make_url

from tests import services

KEY = "a key for the load test, which is long enough for it"
# as docker-compose.yml has them
AS_SHIPPED = (
    "--innodb-buffer-pool-size=512M", "--innodb-log-file-size=256M", "--max-allowed-packet=64M",
    "--innodb-flush-log-at-trx-commit=1", "--max-connections=400", "--collation-server=utf8mb4_unicode_ci",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Servers:
    """A private MariaDB and a private Redis. `processes`: their numbers."""

    database_url: str
    redis_url: str
    processes: Mapping[str, int]

    def status(self) -> dict[str, int]:
        """MariaDB's own counters."""
        url = make_url(self.database_url)
        connection = pymysql.connect(host=url.host or "", port=url.port or 0, user=url.username or "", database="mysql")
        with contextlib.closing(connection), connection.cursor() as cursor:
            cursor.execute("SHOW GLOBAL STATUS")
            return {name: int(value) for name, value in cursor.fetchall() if str(value).isdecimal()}

    def megabytes(self) -> float:
        """Of all tables with their indexes."""
        url = make_url(self.database_url)
        connection = pymysql.connect(host=url.host or "", port=url.port or 0, user=url.username or "", database="mysql")
        with contextlib.closing(connection), connection.cursor() as cursor:
            cursor.execute(
                "SELECT SUM(file_size) FROM information_schema.innodb_sys_tablespaces WHERE name LIKE %s",
                (f"{url.database}/%",),
            )
            row = cursor.fetchone()
            return float((row or (0,))[0] or 0) / 2**20

    async def redis_status(self) -> dict[str, Any]:
        redis = Redis.from_url(self.redis_url)
        try:
            found: dict[str, Any] = await redis.info()
            return found
        finally:
            await redis.aclose()


@contextmanager
def servers() -> Iterator[Servers]:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="evosync-load-")))
        mariadb = services.MariaDB.private(folder, *AS_SHIPPED)
        assert mariadb.server is not None
        stack.callback(mariadb.server.kill)
        (folder / "redis").mkdir()
        redis = services.RedisServer(folder / "redis")
        stack.callback(redis.server.kill)
        url = stack.enter_context(mariadb.database()).partition("?")[0]
        processes = {}
        for name, server in (("MariaDB", mariadb.server), ("Redis", redis.server)):
            assert server._process is not None
            processes[name] = server._process.pid
        yield Servers(url, redis.url, processes)


def settings(servers: Servers, clouds: Mapping[str, str], folder: Path, **more: object) -> dict[str, str]:
    """The environment of the service's processes."""
    ours = {
        "DATABASE_URL": servers.database_url,
        "REDIS_URL": servers.redis_url,
        "SECRET_KEY": KEY,
        "EVOSYNC_DATA_DIR": str(folder),
        "EVOTOR_API_URL": clouds["evotor_api_url"],
        "VK_API_URL": clouds["vk_api_url"],
        "LOG_LEVEL": "WARNING",
    }
    return {**os.environ, **ours, **{name: str(value) for name, value in more.items()}}


@asynccontextmanager
async def evosync(environ: Mapping[str, str], *arguments: str) -> AsyncIterator[int]:
    """`evosync` with these arguments; its process number. It is stopped as an operator would."""
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", "evosync", *arguments, env=dict(environ))
    try:
        yield process.pid
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        try:
            async with asyncio.timeout(30):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()


async def answers(url: str) -> None:
    """Until the site does."""
    async with aiohttp.ClientSession() as http, asyncio.timeout(60):
        while True:
            with contextlib.suppress(aiohttp.ClientError):
                async with http.get(f"{url}/health") as response:
                    if response.status == 200:
                        return
            await asyncio.sleep(0.1)


@dataclass(slots=True)
class Use:
    """What the processes of one kind took. Memory is the most that was seen, in MB."""

    cpu_seconds: float = 0.0
    memory: float = 0.0
    processes: int = 0


@dataclass(slots=True)
class Watch:
    """Processes by kind, looked at every second."""

    kinds: Mapping[str, list[int]]
    uses: dict[str, Use] = field(default_factory=dict)
    seconds: float = 0.0
    others: float = 0.0
    """Of all processor time, the share that went to processes which are none of these, ours and the measuring one."""

    @asynccontextmanager
    async def watching(self) -> AsyncIterator[None]:
        known = {kind: [psutil.Process(pid) for pid in pids] for kind, pids in self.kinds.items()}
        before = {kind: sum(map(_cpu, processes)) for kind, processes in known.items()}
        mine, machine, began = _cpu(psutil.Process()), _busy(), time.monotonic()
        self.uses = {kind: Use(processes=len(processes)) for kind, processes in known.items()}
        task = asyncio.create_task(self._look(known))
        try:
            yield
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
            self.seconds = time.monotonic() - began
            for kind, processes in known.items():
                self.uses[kind].cpu_seconds = sum(map(_cpu, processes)) - before[kind]
            ours = sum(use.cpu_seconds for use in self.uses.values()) + _cpu(psutil.Process()) - mine
            self.others = max(_busy() - machine - ours, 0) / self.seconds / (psutil.cpu_count() or 1)

    async def _look(self, known: Mapping[str, list[psutil.Process]]) -> None:
        while True:
            for kind, processes in known.items():
                held = sum(process.memory_info().rss for process in processes) / 2**20
                self.uses[kind].memory = max(self.uses[kind].memory, held)
            await asyncio.sleep(1)


def _cpu(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def _busy() -> float:
    times = psutil.cpu_times()
    return float(times.user + times.nice + times.system + times.irq + times.softirq)


def commit() -> str:
    """Which state of the code was measured; empty outside a repository."""
    found = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False)
    return found.stdout.strip()
