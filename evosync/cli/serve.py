"""`serve`, `web` and `worker`."""

import asyncio
import logging
import os
import signal
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from aiohttp import web

from evosync.app import Core, Parts, open_core, settle, worker
from evosync.cli.doors import Door, Doors, refused, taken
from evosync.cli.watchdog import watched
from evosync.jobs.postman import Postman, walking
from evosync.metrics import feeling_lag
from evosync.reports import start_reports
from evosync.settings import Settings
from evosync.web.accesslog import PathLog
from evosync.website import build_site, health_only, metrics_only, open_services, post_office

log = logging.getLogger(__name__)
requests = logging.getLogger("evosync.requests")

_YIELDS = 10
"""How far a process that only works stands back behind the webs and servers of its machine: a person waits for a page,
and nobody notices whether a mirror took one second or two."""


async def serve(settings: Settings, parts: Parts, *, host: str, port: int) -> int:
    """Until SIGINT or SIGTERM."""
    with taken(host, port, metrics_port=settings.metrics_port) as doors:
        start_reports(settings)
        if parts is Parts.WORKER:
            os.nice(_YIELDS)
        stopping = asyncio.Event()
        loop = asyncio.get_running_loop()
        for name in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(name, stopping.set)
        async with open_core(settings) as core:
            with watched():
                async with running(core, parts, doors) as address:
                    settle()
                    log.info("serving", extra={"address": address, "parts": parts.name})
                    await stopping.wait()
                    log.info("stopping")
    return 0


@asynccontextmanager
async def running(core: Core, parts: Parts, doors: Doors) -> AsyncIterator[str]:
    """The chosen parts, with a server at the doors; yields its address. Leaving stops them gracefully."""
    async with AsyncExitStack() as stack:
        services = await stack.enter_async_context(open_services(core))
        supervisor = None
        if Parts.WORKER in parts:
            postman = Postman(post_office(core, services).send_due)
            await stack.enter_async_context(walking(postman))
            supervisor = await stack.enter_async_context(worker(core, wake_postman=postman.wake))
        await stack.enter_async_context(feeling_lag(core.metrics))
        if doors.metrics is not None:
            await _listen(stack, metrics_only(core, supervisor), doors.metrics)
        app = build_site(core, services, supervisor) if Parts.WEB in parts else health_only(core, supervisor)
        yield await _listen(stack, app, doors.main)


async def _listen(stack: AsyncExitStack, app: web.Application, door: Door) -> str:
    """The address; on the way out requests in hand get five seconds."""
    # Whoever was refused before he had sent all is listened to for three seconds more, not ten.
    runner = web.AppRunner(app, access_log=requests, access_log_class=PathLog, shutdown_timeout=5.0, lingering_time=3.0)
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    chosen = door[0].getsockname()
    where = f"{chosen[0]}:{chosen[1]}"
    try:
        for one in door:
            await web.SockSite(runner, one).start()
    except OSError as error:  # of two that took the door at once, the other was faster
        raise refused(where, error, "--port") from None
    return f"http://{where}"
