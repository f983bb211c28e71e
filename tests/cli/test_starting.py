"""How a service starts, and how it does not."""

import asyncio
import signal
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.person import Person


@pytest.fixture
def foreign_port() -> Iterator[str]:
    """Somebody else listens there."""
    with socket.create_server(("127.0.0.1", 0)) as somebody:
        yield str(somebody.getsockname()[1])


@pytest.mark.parametrize("command", ["serve", "web", "worker", "demo"])
async def test_a_port_that_somebody_has_is_told_in_one_line_and_nothing_starts(
    person: Person, foreign_port: str, tmp_path: Path, command: str
) -> None:
    untouched = tmp_path / "nothing.sqlite3"
    said = await person.types(
        command, "--port", foreign_port, DATABASE_URL=f"sqlite+aiosqlite:///{untouched}", LOG_LEVEL="INFO"
    )
    assert (said.code, said.out, said.err.count("\n")) == (2, "", 1)
    assert f"cannot listen on 127.0.0.1:{foreign_port}" in said.err
    assert "--port" in said.err
    assert not untouched.exists()


async def test_a_port_of_the_metrics_that_somebody_has_is_named_as_theirs(person: Person, foreign_port: str) -> None:
    said = await person.types("worker", "--port", "0", METRICS_PORT=foreign_port, LOG_LEVEL="INFO")
    assert (said.code, said.out) == (2, "")
    assert "METRICS_PORT" in said.err


@pytest.mark.parametrize("host", ["192.0.2.1", "no.such.host.invalid"])
async def test_an_address_that_this_machine_does_not_have_is_told(person: Person, host: str) -> None:
    said = await person.types("web", "--host", host, LOG_LEVEL="INFO")
    assert (said.code, said.out, said.err.count("\n")) == (2, "", 1)
    assert f"cannot listen on {host}:8000" in said.err
    assert "--host" in said.err


@pytest.mark.parametrize("command", ["serve", "web", "worker", "migrate"])
async def test_whoever_starts_with_settings_of_flower_is_told_where_the_queue_is_now(
    person: Person, foreign_port: str, command: str
) -> None:
    port = ("--port", foreign_port) if command != "migrate" else ()
    said = await person.types(command, *port, FLOWER_USER="somebody", EVOSYNC_PORT="8000")
    assert "have no successor" in said.all
    assert "/admin/queue" in said.all


WAITS_WHILE_IT_IMPORTS = """
import signal
import sys

signal.signal(signal.SIGINT, signal.default_int_handler)  # as at a terminal, also where the tests are in the background

class Waits:
    def find_spec(self, name, path=None, target=None):
        if name == "redis.exceptions":
            print("there", flush=True)
            sys.stdin.read()

sys.meta_path.insert(0, Waits())
from evosync.__main__ import main
sys.exit(main(["check"]))
"""


async def test_ctrl_c_before_anything_is_begun_is_quiet() -> None:
    pipe = asyncio.subprocess.PIPE
    command = await asyncio.create_subprocess_exec(
        sys.executable, "-c", WAITS_WHILE_IT_IMPORTS, stdin=pipe, stdout=pipe, stderr=pipe
    )
    assert command.stdout is not None
    assert command.stderr is not None
    async with asyncio.timeout(60):
        assert await command.stdout.readline() == b"there\n"
        command.send_signal(signal.SIGINT)
        assert await command.wait() == 130
        assert await command.stderr.read() == b""
