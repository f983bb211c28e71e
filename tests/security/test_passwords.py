import asyncio
import threading
from collections.abc import AsyncIterator

import bcrypt
import pytest

from evosync.security.passwords import Passwords


@pytest.fixture
async def passwords() -> AsyncIterator[Passwords]:
    async with Passwords(rounds=4) as quick:
        yield quick


@pytest.mark.parametrize("password", ["secret", "пароль" * 20, "a" * 72, "a" * 73, "nul\0byte", "\ud800", ""])
async def test_the_right_password_and_no_other_is_taken(passwords: Passwords, password: str) -> None:
    hashed = await passwords.hash(password)
    assert await passwords.check(password, hashed)
    assert not await passwords.check(password + "x", hashed)


async def test_a_long_password_counts_to_its_last_letter(passwords: Passwords) -> None:
    hashed = await passwords.hash("я" * 100)
    assert not await passwords.check("я" * 99, hashed)
    assert not await passwords.check("я" * 99 + "й", hashed)


async def test_two_ways_to_type_a_letter_are_one_password(passwords: Passwords) -> None:
    assert await passwords.check("и\u0306", await passwords.hash("й"))


async def test_a_short_password_is_plain_bcrypt(passwords: Passwords) -> None:
    assert await passwords.check("moved here", bcrypt.hashpw(b"moved here", bcrypt.gensalt(4)).decode())


@pytest.mark.parametrize("hashed", [None, "", "not a hash", "$2b$04$short"])
async def test_no_hash_or_a_broken_one_lets_nobody_in(passwords: Passwords, hashed: str | None) -> None:
    assert not await passwords.check("secret", hashed)


async def test_no_account_takes_a_real_check(passwords: Passwords, monkeypatch: pytest.MonkeyPatch) -> None:
    checked: list[bytes] = []
    real = bcrypt.checkpw

    def note(password: bytes, hashed: bytes) -> bool:
        checked.append(hashed)
        return real(password, hashed)

    monkeypatch.setattr(bcrypt, "checkpw", note)
    assert not await passwords.check("nobody", None)
    assert [hashed[:7] for hashed in checked] == [b"$2b$04$"]


async def test_hashing_leaves_the_loop_free_and_takes_two_threads(
    passwords: Passwords, monkeypatch: pytest.MonkeyPatch
) -> None:
    both_busy = threading.Barrier(3, timeout=30)
    busy: set[int] = set()

    def slow(_password: bytes, _salt: bytes) -> bytes:
        busy.add(threading.get_ident())
        both_busy.wait()
        return b"done"

    monkeypatch.setattr(bcrypt, "hashpw", slow)
    work = [asyncio.ensure_future(passwords.hash("a")) for _ in range(2)]
    await asyncio.to_thread(both_busy.wait)
    assert await asyncio.gather(*work) == ["done", "done"]
    assert len(busy) == 2
    assert threading.get_ident() not in busy
