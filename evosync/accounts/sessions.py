"""Who is signed in where.

aiohttp-session keeps what a session holds; here stands which sessions are valid. A session that is not in its
person's index is nobody's, even if a request that was under way wrote it again after it had been ended.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any, Final

import orjson
from redis.asyncio import Redis

from evosync.domain.ids import UserId

LIFETIME: Final = timedelta(days=14)
"""How long a sign-in lasts without being used."""

ANONYMOUS_LIFETIME: Final = timedelta(hours=4)
"""Of a session that nobody is signed in with: it carries no more than a form's token and a language."""


@dataclass(frozen=True, slots=True)
class SignIn:
    """One place where a person is signed in. `id` is public: it tells nothing about the session's key."""

    id: str
    agent: str
    address: str
    since: datetime
    seen: datetime


def public_id(key: str) -> str:
    return sha256(f"sign-in:{key}".encode()).hexdigest()[:16]


class Sessions:
    """The index of valid sessions, per person."""

    def __init__(self, redis: "Redis", *, cookie: str) -> None:
        self.redis = redis
        self.cookie = cookie

    async def add(self, user: UserId, key: str, *, agent: str, address: str, at: datetime) -> None:
        entry = {"key": key, "agent": agent[:300], "address": address, "since": at.timestamp(), "seen": at.timestamp()}
        await self._store(user, public_id(key), entry)

    async def touch(self, user: UserId, key: str, *, at: datetime, address: str) -> None:
        """Remembers that the session was used just now."""
        entry = await self._entry(user, public_id(key))
        if entry is not None:
            await self._store(user, public_id(key), entry | {"seen": at.timestamp(), "address": address})

    async def is_valid(self, user: UserId, key: str) -> bool:
        return bool(await self.redis.hexists(_index(user), public_id(key)))  # type: ignore[misc]  # typed as both kinds of client

    async def listed(self, user: UserId, *, at: datetime) -> tuple[SignIn, ...]:
        """The one used last first; forgets those that ran out meanwhile."""
        raw: dict[bytes, bytes] = await self.redis.hgetall(_index(user))  # type: ignore[misc]  # as above
        found = []
        for name, value in raw.items():
            entry = orjson.loads(value)
            seen = datetime.fromtimestamp(entry["seen"], tz=at.tzinfo)
            if at - seen > LIFETIME:
                await self.end(user, name.decode())
                continue
            since = datetime.fromtimestamp(entry["since"], tz=at.tzinfo)
            found.append(SignIn(name.decode(), entry["agent"], entry["address"], since, seen))
        return tuple(sorted(found, key=lambda one: one.seen, reverse=True))

    async def end(self, user: UserId, number: str) -> bool:
        """False if there was none of that id (already)."""
        entry = await self._entry(user, number)
        if entry is None:
            return False
        await self.redis.hdel(_index(user), number)  # type: ignore[misc]  # as above
        await self.redis.delete(f"{self.cookie}_{entry['key']}")
        return True

    async def end_all(self, user: UserId, *, besides: str | None = None) -> int:
        """Ends all sign-ins, but for the session with the key `besides`. How many there were."""
        kept = public_id(besides) if besides is not None else None
        names: list[bytes] = await self.redis.hkeys(_index(user))  # type: ignore[misc]  # as above
        ended = [await self.end(user, name.decode()) for name in names if name.decode() != kept]
        return sum(ended)

    async def _entry(self, user: UserId, number: str) -> dict[str, Any] | None:
        raw: bytes | None = await self.redis.hget(_index(user), number)  # type: ignore[misc]  # as above
        return orjson.loads(raw) if raw is not None else None

    async def _store(self, user: UserId, number: str, entry: dict[str, Any]) -> None:
        await self.redis.hset(_index(user), number, orjson.dumps(entry).decode())  # type: ignore[misc]  # as above
        await self.redis.expire(_index(user), LIFETIME)


def _index(user: UserId) -> str:
    return f"evosync:sign-ins:{user}"
