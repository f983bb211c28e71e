"""The service in processes of its own, forked from one that has imported everything already."""

import asyncio
import multiprocessing
import os
import signal
import sys
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from multiprocessing.context import ForkServerProcess
from pathlib import Path

import evosync.cli.commands  # noqa: F401 - each process finds it imported
from evosync.__main__ import main
from evosync.app import open_core
from evosync.cli.sync import run_once
from evosync.domain.ids import UserId
from evosync.settings import load_settings
from tests.sync.world import KEY, World

_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(["tests.journeys.process"])


def environment(world: World, folder: Path, *, database: str, redis: str, **more: str) -> dict[str, str]:
    """What a service needs to serve this world, in a hurry."""
    return {
        "DATABASE_URL": database,
        "REDIS_URL": redis,
        "SECRET_KEY": KEY,
        "EVOSYNC_DATA_DIR": str(folder / "data"),
        "EVOTOR_API_URL": world.running.evotor_url,
        "VK_API_URL": world.running.vk_url,
        "VK_REQUESTS_PER_SECOND": "20",
        "VK_SETTLE_SECONDS": "0.5",
        "VK_TIMEOUT_SECONDS": "10",
        "LEASE_SECONDS": "3",
    } | more


CALM = {"LEASE_SECONDS": "15", "VK_TIMEOUT_SECONDS": "60"}
"""For `environment`, where neither is what is shown: a slow machine loses no lease and gives no held call up."""


class Process:
    """A process of the service; see `started`."""

    def __init__(self, process: ForkServerProcess, output: Path) -> None:
        self._process = process
        self._output = output

    @property
    def is_alive(self) -> bool:
        return self._process.is_alive()

    async def ended(self) -> int:
        """Its exit code, once it has one."""
        await asyncio.to_thread(self._process.join, 60)
        assert self._process.exitcode is not None, "it does not end"
        return self._process.exitcode

    async def kill(self) -> None:
        """As `kill -9` does."""
        self._process.kill()
        await self.ended()

    async def stop(self) -> int:
        """As an operator does."""
        self.ask_to_stop()
        return await self.ended()

    def ask_to_stop(self) -> None:
        self.send(signal.SIGTERM)

    def freeze(self) -> None:
        """As a suspended machine or `docker pause` does, until `thaw`."""
        self.send(signal.SIGSTOP)

    def thaw(self) -> None:
        self.send(signal.SIGCONT)

    def send(self, number: signal.Signals) -> None:
        assert self._process.pid is not None
        os.kill(self._process.pid, number)

    @property
    def said(self) -> str:
        return self._output.read_text(errors="replace")


@contextmanager
def _begun(target: object, folder: Path, *arguments: object) -> Iterator[Process]:
    folder.mkdir(exist_ok=True)
    output = folder / f"process-{len(list(folder.iterdir()))}.log"
    output.touch()
    process = _FORKS.Process(target=target, args=(str(output), *arguments), daemon=True)  # type: ignore[arg-type]  # one of ours
    process.start()
    try:
        yield Process(process, output)
    finally:
        if process.is_alive():
            process.kill()
        process.join()
        process.close()


@asynccontextmanager
async def command(folder: Path, environ: Mapping[str, str], *arguments: str) -> AsyncIterator[Process]:
    """`evosync` with these arguments; killed at the end if it still runs."""
    with _begun(_command, folder, dict(environ), arguments) as process:
        yield process


@asynccontextmanager
async def mirror_run(folder: Path, environ: Mapping[str, str], user: UserId) -> AsyncIterator[Process]:
    """One run of one owner, and nothing else."""
    with _begun(_mirror_run, folder, dict(environ), user) as process:
        yield process


def _take_over(output: str, environ: Mapping[str, str]) -> None:
    file = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(file, 1)
    os.dup2(file, 2)
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]  # a text file
    os.environ.update(environ)


def _command(output: str, environ: Mapping[str, str], arguments: Sequence[str]) -> None:
    _take_over(output, environ)
    sys.exit(main(arguments))


def _mirror_run(output: str, environ: Mapping[str, str], user: UserId) -> None:
    _take_over(output, environ)

    async def run() -> None:
        async with open_core(load_settings(environ)) as core:
            await run_once(core, user, reason="test")

    asyncio.run(run())
