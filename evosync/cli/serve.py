"""`serve`, `web` and `worker`."""

import asyncio
import logging
import signal
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from aiohttp import web

from evosync.app import Core, Parts, open_core, settle, worker
from evosync.jobs.postman import Postman, walking
from evosync.settings import Settings
from evosync.website import build_site, health_only, open_services, post_office

log = logging.getLogger(__name__)


async def serve(settings: Settings, parts: Parts, *, host: str, port: int) -> int:
    """Until SIGINT or SIGTERM."""
    for notice in settings.notices:
        log.warning(notice)
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(name, stopping.set)
    async with open_core(settings) as core, running(core, parts, host=host, port=port) as address:
        settle()
        log.info("serving", extra={"address": address, "parts": parts.name})
        await stopping.wait()
        log.info("stopping")
    return 0


@asynccontextmanager
async def running(core: Core, parts: Parts, *, host: str, port: int) -> AsyncIterator[str]:
    """The chosen parts, with a server in front; yields its address. Leaving stops them gracefully."""
    async with AsyncExitStack() as stack:
        services = await stack.enter_async_context(open_services(core))
        if Parts.WORKER in parts:
            postman = Postman(post_office(core, services).send_due)
            await stack.enter_async_context(walking(postman))
            await stack.enter_async_context(worker(core, wake_postman=postman.wake))
        runner = web.AppRunner(
            build_site(services) if Parts.WEB in parts else health_only(), access_log=None, shutdown_timeout=5.0
        )
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        await web.TCPSite(runner, host, port).start()
        chosen = runner.addresses[0]
        yield f"http://{chosen[0]}:{chosen[1]}"
