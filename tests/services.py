"""Real servers for the tests: private instances in a folder of their own, gone with the test run.

A private MariaDB is started where `mariadbd` is installed, a private Redis where `redis-server` is (else the one
that comes embedded). EVOSYNC_TEST_MARIADB_URL and EVOSYNC_TEST_REDIS_URL name running ones instead; the account of
the first must be allowed to create databases, and the database number of the second is emptied.
"""

import asyncio
import contextlib
import os
import shutil
import signal
import socket
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NoReturn

import pymysql
import pytest
from sqlalchemy.engine import URL, make_url

from evosync.embedded import _die_with, server_binary

STARTED_WITHIN = 60.0
STRICT = "EVOSYNC_REQUIRE_SERVICES"


def unavailable(what: str) -> NoReturn:
    """Skip with a visible reason, or fail where services are required (CI)."""
    if os.environ.get(STRICT) == "1":
        pytest.fail(f"{what}, and {STRICT}=1 forbids to skip", pytrace=False)
    pytest.skip(what)


def free_port() -> int:
    return free_ports(1)[0]


def free_ports(count: int) -> list[int]:
    """All different, which so many calls of `free_port` need not be."""
    with contextlib.ExitStack() as stack:
        probes = [stack.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [int(probe.getsockname()[1]) for probe in probes]


def port_before_a_free_one() -> int:
    """Free itself, as is the next, which may be of those from which connections go out."""
    while True:
        port = free_port()
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", port + 1))
            return port


def find(*commands: str) -> str | None:
    places = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"])
    return next((found for command in commands if (found := shutil.which(command, path=places))), None)


class Server:
    """A child process that a test may stop, kill, freeze and start again on the same data and port."""

    def __init__(self, command: list[str], folder: Path, answers: Callable[[], bool]) -> None:
        self._command = command
        self._folder = folder
        self._answers = answers
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        report = self._folder / "server.log"
        with report.open("ab") as output:
            self._process = subprocess.Popen(
                self._command,
                cwd=self._folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                preexec_fn=_die_with(os.getpid()),  # noqa: PLW1509 - it only calls prctl, loaded before the fork
            )
        until = time.monotonic() + STARTED_WITHIN
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > until:
                self.kill()
                said = report.read_text(errors="replace")[-2000:]
                raise RuntimeError(f"{self._command[0]} did not start:\n{said}")
            time.sleep(0.02)

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def stop(self) -> None:
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        self._end(signal.SIGKILL)

    def freeze(self) -> None:
        """It holds its connections and answers nothing until `thaw`."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def _end(self, how: signal.Signals) -> None:
        if self._process is None:
            return
        self._process.send_signal(how)
        try:
            self._process.wait(30)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None


class MariaDB:
    """A MariaDB server: private (`server` can be stopped and started) or somebody's (`server` is None)."""

    def __init__(self, admin: URL, server: Server | None = None) -> None:
        self._admin = admin
        self.server = server

    @classmethod
    def private(cls, folder: Path, *options: str) -> "MariaDB":
        """Lay out and start an instance in `folder`; `options` go to mariadbd.

        Raises:
            LookupError: it is not installed.

        """
        daemon, layout = find("mariadbd", "mysqld"), find("mariadb-install-db", "mysql_install_db")
        if daemon is None or layout is None:
            raise LookupError("no mariadbd on this machine")
        account = [f"--user={_account()}"]
        data = folder / "data"
        subprocess.run(
            [layout, "--no-defaults", *account, f"--datadir={data}", "--auth-root-authentication-method=normal",
             "--skip-test-db"],
            check=True, capture_output=True,
        )  # fmt: skip
        # At its start a server takes away the temporary tables that lie in its folder for them: not those of others.
        (folder / "tmp").mkdir(exist_ok=True)
        port = free_port()
        command = [
            daemon, "--no-defaults", *account, f"--datadir={data}", f"--socket={folder / 'db.sock'}", f"--port={port}",
            f"--tmpdir={folder / 'tmp'}",
            "--bind-address=127.0.0.1", "--skip-log-bin", "--skip-name-resolve", "--innodb-buffer-pool-size=128M",
            "--innodb-flush-log-at-trx-commit=2", "--character-set-server=utf8mb4", "--max-connections=300", *options,
        ]  # fmt: skip
        admin = URL.create("mysql+aiomysql", "root", "", "127.0.0.1", port)
        server = Server(command, folder, lambda: _mariadb_answers(admin))
        server.start()
        return cls(admin, server)

    @contextlib.contextmanager
    def database(self) -> Iterator[str]:
        """A fresh, empty database; the address is that of SQLAlchemy's aiomysql."""
        name = f"evosync_test_{uuid.uuid4().hex[:12]}"
        self.execute(f"CREATE DATABASE {name} CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci")
        try:
            url = self._admin.set(drivername="mysql+aiomysql", database=name)
            yield url.update_query_dict({"charset": "utf8mb4"}).render_as_string(hide_password=False)
        finally:
            # Sessions that a test left open would hold the drop back; a test that killed the server has no database.
            with contextlib.suppress(pymysql.OperationalError):
                self.execute("SET SESSION lock_wait_timeout = 5", f"DROP DATABASE IF EXISTS {name}")

    def execute(self, *statements: str) -> None:
        """Run statements as the server's administrator."""
        with contextlib.closing(_connect(self._admin)) as connection, connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)

    def for_an_app(self, url: str) -> str:
        """The same database for an account that a read-only server refuses: an administrator may write all the same."""
        parts = make_url(url)
        self.execute(
            "CREATE USER app@'127.0.0.1' IDENTIFIED BY 'app'", f"GRANT ALL ON {parts.database}.* TO app@'127.0.0.1'"
        )
        return parts.set(username="app", password="app").render_as_string(hide_password=False)

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Nobody can write meanwhile; who tries waits."""
        with contextlib.closing(_connect(self._admin)) as connection, connection.cursor() as cursor:
            cursor.execute("FLUSH TABLES WITH READ LOCK")
            yield


def _account() -> str:
    # As root, mariadbd wants to be told for whom it runs; in a private folder that is root itself.
    return "root" if os.getuid() == 0 else os.environ.get("USER", "mysql")


def _connect(admin: URL) -> "pymysql.Connection[pymysql.cursors.Cursor]":
    return pymysql.connect(
        host=admin.host or "127.0.0.1",
        port=admin.port or 3306,
        user=admin.username or "root",
        password=admin.password or "",
        connect_timeout=5,
    )


def _mariadb_answers(admin: URL) -> bool:
    try:
        _connect(admin).close()
    except pymysql.OperationalError:
        return False
    return True


@contextlib.contextmanager
def mariadb(folder: Path) -> Iterator[MariaDB]:
    """The server named by the environment, else a private one, else the one on the standard port; else skip or fail."""
    if named := os.environ.get("EVOSYNC_TEST_MARIADB_URL"):
        yield MariaDB(make_url(named))
        return
    try:
        private = MariaDB.private(folder)
    except LookupError:
        standard = URL.create("mysql+aiomysql", "root", "", "127.0.0.1", 3306)
        if not _mariadb_answers(standard):
            unavailable("no MariaDB: neither mariadbd here, nor a server on 127.0.0.1:3306")
        yield MariaDB(standard)
        return
    assert private.server is not None
    try:
        yield private
    finally:
        private.server.kill()


class RedisServer:
    """A private Redis on a port of its own; keeps its data over `server.stop()` and `server.kill()`."""

    def __init__(self, folder: Path) -> None:
        port = free_port()
        self.url = f"redis://127.0.0.1:{port}/0"
        binary = find("redis-server") or str(server_binary())
        self.server = Server(
            [binary, "--bind", "127.0.0.1", "--port", str(port), "--dir", str(folder), "--save", "",
             "--appendonly", "yes", "--maxmemory-policy", "noeviction"],
            folder,
            lambda: _redis_says(port, b"PING") == b"+PONG\r\n",
        )  # fmt: skip
        self._port = port
        self.server.start()

    def empty(self) -> None:
        """Forget everything, as an operator's FLUSHALL would."""
        assert _redis_says(self._port, b"FLUSHALL") == b"+OK\r\n"


def _redis_says(port: int, command: bytes) -> bytes:
    try:
        with socket.create_connection(("127.0.0.1", port), 5) as connection:
            connection.sendall(command + b"\r\n")
            return connection.recv(64)
    except OSError:
        return b""


async def strays(grace: float = 10.0) -> list[str]:
    """Tasks that are still running beside this one; those about to end get `grace` seconds. They are cancelled."""
    tasks = asyncio.all_tasks() - {task for task in [asyncio.current_task()] if task is not None}
    if not tasks:
        return []
    _, pending = await asyncio.wait(tasks, timeout=grace)
    names = [f"{task.get_name()}: {getattr(task.get_coro(), '__qualname__', task.get_coro())}" for task in pending]
    for task in pending:
        task.cancel()
    await asyncio.gather(*pending, return_exceptions=True)
    return names
