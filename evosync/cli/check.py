"""`check`: whether the service of this machine answers, and whether a worker lives."""

import asyncio
import sys
from contextlib import ExitStack
from ipaddress import ip_address

import aiohttp
from redis.exceptions import RedisError
from yarl import URL

from evosync.embedded import socket_url
from evosync.jobs.worker import check as worker_lives
from evosync.queue import Queue, close_redis, open_redis
from evosync.settings import Settings

_PATIENCE = aiohttp.ClientTimeout(total=5)


async def check(settings: Settings) -> int:
    """0 if the process at the settings' address answers and arq's own health record tells of a worker, else 1.

    All workers share that record: one that hangs among others is known by its silence. Starts nothing, changes
    nothing. At port 0 nobody can be asked, and the record decides.
    """
    if settings.port == 0:
        return 0 if await _worker_lives(settings) else 1
    address = URL.build(scheme="http", host=_reached_by(settings.host), port=settings.port, path="/health")
    said, lives = await asyncio.gather(_ask(address), _worker_lives(settings))
    print(f"{address}: {said or 'answers'}")
    return 0 if lives and not said else 1


async def _ask(address: URL) -> str:
    """What is wrong with its answer; empty if nothing is."""
    try:
        async with aiohttp.ClientSession(timeout=_PATIENCE) as http, http.get(address, allow_redirects=False) as reply:
            return "" if reply.status == 200 else f"answers {reply.status}"
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        return f"does not answer ({type(error).__name__})"


def _reached_by(host: str) -> str:
    """Where whoever listens at `host` is found on the same machine."""
    try:
        is_any = not host or ip_address(host).is_unspecified
    except ValueError:
        return host
    return ("::1" if ":" in host else "127.0.0.1") if is_any else host


async def _worker_lives(settings: Settings) -> bool:
    try:
        with ExitStack() as stack:
            url = settings.redis_url
            lives = await _asked(url.get_secret_value() if url else stack.enter_context(socket_url(settings.data_dir)))
    except (RedisError, OSError) as error:
        print(f"evosync: Redis does not answer ({type(error).__name__})", file=sys.stderr)
        return False
    print("worker: alive" if lives else "worker: none")
    return lives


async def _asked(url: str) -> bool:
    redis = open_redis(url)
    try:
        return await worker_lives(Queue(redis))
    finally:
        await close_redis(redis)
