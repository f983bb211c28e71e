"""`check`: whether a worker is alive."""

import sys
from contextlib import ExitStack

from redis.exceptions import RedisError

from evosync.embedded import socket_url
from evosync.jobs.worker import check as worker_lives
from evosync.queue import Queue, close_redis, open_redis
from evosync.settings import Settings


async def check(settings: Settings) -> int:
    """0 if arq's own health record says so, else 1. Starts nothing, changes nothing."""
    try:
        with ExitStack() as stack:
            url = settings.redis_url
            lives = await _lives(url.get_secret_value() if url else stack.enter_context(socket_url(settings.data_dir)))
    except (RedisError, OSError) as error:
        print(f"evosync: Redis does not answer ({type(error).__name__})", file=sys.stderr)
        return 1
    print("worker: alive" if lives else "worker: none")
    return 0 if lives else 1


async def _lives(url: str) -> bool:
    redis = open_redis(url)
    try:
        return await worker_lives(Queue(redis))
    finally:
        await close_redis(redis)
