"""Passwords: bcrypt, away from the event loop."""

import asyncio
import unicodedata
from base64 import b64encode
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from typing import Self, TypeVar

import bcrypt

T = TypeVar("T")

_BCRYPT_BYTES = 72
_THREADS = 2
_MOST_WAITING = 64
"""Some seconds of work: who comes later had better come again than wait behind a flood."""
ROUNDS = 12
"""A quarter of a second on the machine that this was written on."""


class TooMany(Exception):
    """So many passwords wait to be checked that this one is not taken."""


class Passwords:
    """Makes and checks hashes, two at a time, so that logins never slow down what else the process does.

    Raises `TooMany` while too many wait.
    """

    def __init__(self, *, rounds: int = ROUNDS) -> None:
        self._rounds = rounds
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="bcrypt")
        self._nobody: bytes | None = None
        self._waiting = 0

    async def hash(self, password: str) -> str:
        work = self._run(bcrypt.hashpw, _prepared(password), bcrypt.gensalt(self._rounds))
        return (await work).decode()

    async def check(self, password: str, hashed: str | None) -> bool:
        """False also for a malformed hash. None (no such account, no password set) takes as long as a real check."""
        if hashed is None:
            await self._run(bcrypt.checkpw, _prepared(password), await self._dummy())
            return False
        try:
            return await self._run(bcrypt.checkpw, _prepared(password), hashed.encode())
        except ValueError:
            return False

    async def _dummy(self) -> bytes:
        if self._nobody is None:
            self._nobody = await self._run(bcrypt.hashpw, b"nobody", bcrypt.gensalt(self._rounds))
        return self._nobody

    def _run(self, work: Callable[[bytes, bytes], T], password: bytes, salt: bytes) -> asyncio.Future[T]:
        if self._waiting >= _MOST_WAITING:
            raise TooMany
        self._waiting += 1
        done = asyncio.get_running_loop().run_in_executor(self._threads, work, password, salt)
        done.add_done_callback(self._one_less)
        return done

    def _one_less(self, _done: asyncio.Future[T]) -> None:
        self._waiting -= 1

    def close(self) -> None:
        self._threads.shutdown(wait=True, cancel_futures=True)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_error: object) -> None:
        self.close()


def _prepared(password: str) -> bytes:
    """What bcrypt gets. It reads 72 bytes at most (36 Cyrillic letters); longer passwords are hashed first."""
    whole = unicodedata.normalize("NFC", password).encode("utf-8", "surrogatepass")
    return whole if len(whole) <= _BCRYPT_BYTES else b64encode(sha256(whole).digest())
