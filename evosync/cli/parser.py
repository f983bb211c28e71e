"""Commands and their options."""

import argparse
from pathlib import Path

from evosync import __version__

_ABOUT = "EvoSync keeps a VK community shop in step with a shop's Evotor cash registers."
_SETTINGS = "Settings come from the environment and from .env in this folder; .env.example explains each."


def build() -> argparse.ArgumentParser:
    """The parser; the chosen command is in `command`."""
    parser = argparse.ArgumentParser("evosync", description=_ABOUT, epilog=_SETTINGS)
    parser.add_argument("--version", action="version", version=f"evosync {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def command(name: str, text: str) -> argparse.ArgumentParser:
        return commands.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".", epilog=_SETTINGS)

    for name, text in (
        ("serve", "run everything in one process: pages, webhooks, worker, mirrors"),
        ("web", "run the pages and webhooks alone"),
        ("worker", "run the worker and the mirrors alone; --port serves only /health"),
    ):
        server = command(name, text)
        server.add_argument("--host", help="address to listen on (setting EVOSYNC_HOST, else 127.0.0.1)")
        server.add_argument("--port", type=int, help="port to listen on (setting EVOSYNC_PORT, else 8000)")

    command("migrate", "bring the database to this version's tables; safe to repeat, and from several machines")

    demo = command("demo", "show it: a sandbox of both clouds, a demo shop, the first mirror run, live")
    demo.add_argument(
        "--catalog", type=Path, metavar="FILE", help="a catalog to use instead of the demo shop's (.json or .json.gz)"
    )
    demo.add_argument("--first", type=int, metavar="N", help="only the first N products of the catalog")
    demo.add_argument(
        "--port", type=int, default=8000, help="port of the service (default 8000); the sandbox takes the next one"
    )
    demo.add_argument("--once", action="store_true", help="stop after the first run instead of serving on")

    sandbox = command("sandbox", "run the imitation of the two clouds alone")
    sandbox.add_argument("arguments", nargs=argparse.REMAINDER, help="see: evosync sandbox --help")

    sync = command(
        "sync",
        "one mirror run now, in the foreground; starts the mirror if its owner has not; without VK, reads the till",
    )
    sync.add_argument("email", metavar="EMAIL")
    sync.add_argument(
        "--dry-run", action="store_true", help="read both sides and say what would be done; write nothing to VK"
    )
    sync.add_argument("--json", action="store_true", help="print one JSON object with the run's figures")

    user = command("user", "accounts")
    actions = user.add_subparsers(dest="action", required=True, metavar="ACTION")
    create = actions.add_parser("create", help="make an account", description="Make an active account.")
    create.add_argument("email", metavar="EMAIL")
    create.add_argument("--role", choices=("user", "admin", "system"), required=True)
    create.add_argument(
        "--password-stdin", action="store_true", help="read the password from standard input instead of a prompt"
    )

    connect = command("connect", "store a token, read from standard input or a prompt, after testing it")
    connect.add_argument("email", metavar="EMAIL")
    connect.add_argument("side", choices=("evotor", "vk"))
    connect.add_argument("--group-id", metavar="N", help="the VK community (number, or the address of its page)")

    choose = command("choose", "switch stores and groups on or off; nothing named: all of them")
    choose.add_argument("email", metavar="EMAIL")
    state = choose.add_mutually_exclusive_group(required=True)
    state.add_argument("--on", action="store_true")
    state.add_argument("--off", action="store_true")
    choose.add_argument(
        "--store", metavar="ID", help="a store by its Evotor id; one of which nothing was on yet comes with its groups"
    )
    choose.add_argument(
        "--group",
        metavar="ID",
        help="a group of that store by its Evotor id; an empty one means products without a group",
    )

    check = command("check", "exit with 0 if the service here answers and a worker is alive, else 1; for health checks")
    check.add_argument("--host", help="where the service listens (setting EVOSYNC_HOST, else 127.0.0.1)")
    check.add_argument("--port", type=int, help="its port (setting EVOSYNC_PORT, else 8000)")
    return parser
