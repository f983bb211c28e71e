"""Runs the sandbox on a port, in the event loop of whoever asks."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from aiohttp import web

from evosync.sandbox.app import make_app
from evosync.sandbox.state import Sandbox


@dataclass(frozen=True, slots=True)
class Running:
    """Where the sandbox is."""

    sandbox: Sandbox
    host: str
    port: int

    @property
    def url(self) -> str:
        """The start page."""
        return f"http://{self.host}:{self.port}"

    @property
    def evotor_url(self) -> str:
        """What stands for https://api.evotor.ru."""
        return f"{self.url}/evotor"

    @property
    def vk_url(self) -> str:
        """What stands for https://api.vk.com/method."""
        return f"{self.url}/vk/method"


@asynccontextmanager
async def serve(sandbox: Sandbox | None = None, *, host: str = "127.0.0.1", port: int = 0) -> AsyncIterator[Running]:
    """Serve until the block ends; port 0 takes a free one."""
    state = sandbox if sandbox is not None else Sandbox()
    state.closing.clear()
    runner = web.AppRunner(make_app(state), access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    try:
        site = web.TCPSite(runner, host, port)
        await site.start()
        running = Running(state, host, int(runner.addresses[0][1]))
        state.base_url = running.url
        yield running
    finally:
        await runner.cleanup()
