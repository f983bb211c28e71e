"""One command, from its words to its exit code."""

import argparse
import asyncio
import logging
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path

from redis.exceptions import RedisError
from sqlalchemy.exc import SQLAlchemyError

from evosync import logs
from evosync.app import Core, Parts, open_core
from evosync.cli import accounts, parser
from evosync.cli.check import check
from evosync.cli.choosing import choose
from evosync.cli.demo import demo
from evosync.cli.errors import UserError
from evosync.cli.migrate import migrate
from evosync.cli.serve import serve
from evosync.cli.sync import sync
from evosync.db.migrate import Busy
from evosync.embedded import EmbeddedRedisError
from evosync.sandbox.cli import main as sandbox_main
from evosync.settings import Settings, SettingsError, load_settings

log = logging.getLogger(__name__)

_PARTS = {"serve": Parts.ALL, "web": Parts.WEB, "worker": Parts.WORKER}


def obey(arguments: Sequence[str], environ: Mapping[str, str]) -> int:
    """Run one command; the exit code is 2 for a person's mistake."""
    if arguments[:1] == ["sandbox"]:
        return sandbox_main(arguments[1:])
    options = parser.build().parse_args(arguments)
    try:
        settings = load_settings(
            environ, Path(".env"), host=getattr(options, "host", None), port=getattr(options, "port", None)
        )
        serving = options.command in _PARTS
        logs.configure(
            level=settings.log_level if serving else max_level(settings.log_level),
            form=settings.log_format,
            hide=settings.hidden,
            stream=sys.stdout if serving else sys.stderr,
        )
        if serving or options.command == "migrate":
            for notice in settings.notices:
                log.warning(notice)
        return asyncio.run(_run(settings, options))
    except (UserError, SettingsError, EmbeddedRedisError, Busy) as mistake:
        print(f"evosync: {mistake}", file=sys.stderr)
        return 2
    except RedisError as error:
        print(f"evosync: Redis cannot be reached ({type(error).__name__}): check REDIS_URL", file=sys.stderr)
        return 2
    except SQLAlchemyError as error:
        print(f"evosync: the database cannot be used ({type(error).__name__}): check DATABASE_URL", file=sys.stderr)
        return 2


def max_level(level: str) -> str:
    """A command speaks for itself; its log shows only what went wrong."""
    return level if level in {"DEBUG", "WARNING", "ERROR"} else "WARNING"


_WITH_CORE: Mapping[str, Callable[[Core, argparse.Namespace], Awaitable[int]]] = {
    "user": accounts.create,
    "connect": accounts.connect,
    "choose": choose,
    "sync": sync,
}


async def _run(settings: Settings, options: argparse.Namespace) -> int:
    match options.command:
        case "serve" | "web" | "worker":
            return await serve(settings, _PARTS[options.command], host=settings.host, port=settings.port)
        case "demo":
            return await demo(settings, options)
        case "check":
            return await check(settings)
        case "migrate":
            return await migrate(settings)
    async with open_core(settings) as core:
        return await _WITH_CORE[options.command](core, options)
