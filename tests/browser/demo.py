"""The demo, as `make run` starts it, in a folder of its own."""

import json
import re
import sqlite3
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar
from urllib.request import Request, urlopen

from tests.services import Server, port_before_a_free_one

COMMAND = Path(sys.executable).with_name("evosync")
OWNER, ADMIN, PASSWORD = "demo@example.com", "admin@example.com", "demo-demo"
T = TypeVar("T")
_READY = "Ctrl+C stops everything"


@dataclass(frozen=True, slots=True)
class Demo:
    """One that runs, its first mirror run done."""

    folder: Path
    port: int

    @property
    def url(self) -> str:
        return f"http://localhost:{self.port}"

    @property
    def sandbox_url(self) -> str:
        return f"http://127.0.0.1:{self.port + 1}"

    @property
    def said(self) -> str:
        return (self.folder / "server.log").read_text(errors="replace")

    def link(self, to: str) -> str:
        """Path and query of the newest link sent to this address; letters stand in what the process prints."""
        return waited(lambda: self._link(to))

    def _link(self, to: str) -> str:
        letters = re.findall(rf"=== To: {re.escape(to)}\n(.*?)=== end", self.said, re.DOTALL)
        found = re.findall(r"http://localhost:\d+(/\S+\?token=\S+)", "".join(letters))
        return str(found[-1]) if found else ""

    def ask(self, query: str, *values: object) -> str:
        """One value of the service's database."""
        with closing(self._database()) as database:
            row = database.execute(query, values).fetchone()
        assert row is not None, query
        return str(row[0])

    def told(self, path: str, body: object) -> None:
        """Change the sandbox."""
        asked = Request(f"{self.sandbox_url}/control/{path}", json.dumps(body).encode(), method="POST")  # noqa: S310 - our own address
        with urlopen(asked, timeout=10) as reply:  # noqa: S310 - our own sandbox
            reply.read()

    def tell(self, statement: str, *values: object) -> None:
        """Change the service's database behind its back."""
        with closing(self._database()) as database, database:
            database.execute(statement, values)

    def _database(self) -> sqlite3.Connection:
        return sqlite3.connect(self.folder / "data" / "demo" / "evosync.sqlite3", timeout=10)


@contextmanager
def demo(folder: Path, **settings: str) -> Iterator[Demo]:
    """Ten seconds pass before it is there: it mirrors its shop first."""
    port = port_before_a_free_one()  # its sandbox takes that
    running = Demo(folder, port)
    environ = {"EVOSYNC_DATA_DIR": str(folder / "data"), **settings}
    given = [f"{name}={value}" for name, value in environ.items()]
    server = Server(
        ["/usr/bin/env", *given, str(COMMAND), "demo", "--port", str(port)], folder, lambda: _READY in running.said
    )
    server.start()
    try:
        yield running
    finally:
        server.stop()


def waited(look: Callable[[], T], seconds: float = 90) -> T:
    """What `look` finds, as soon as it finds anything: another process sends no event."""
    until = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < until, "it does not come"
        time.sleep(0.05)
    return found
