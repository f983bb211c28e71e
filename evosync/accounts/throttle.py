"""How often somebody may try: counted per account and per address, whether or not the account exists."""

from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Final

from redis.asyncio import Redis


@dataclass(frozen=True, slots=True)
class Limit:
    """At most `tries` in each `per`, for one value of what is counted."""

    name: str
    tries: int
    per: timedelta


SIGN_IN_ACCOUNT_HERE: Final = Limit("sign-in-here", 8, timedelta(minutes=15))
"""Per account and address together: a stranger elsewhere cannot lock the owner out with it."""
SIGN_IN_ACCOUNT: Final = Limit("sign-in-account", 60, timedelta(hours=1))
SIGN_IN_ADDRESS: Final = Limit("sign-in-address", 60, timedelta(minutes=15))
REGISTER_ADDRESS: Final = Limit("register-address", 20, timedelta(hours=1))
MAIL_ACCOUNT: Final = Limit("mail-account", 5, timedelta(hours=1))
"""Letters that anybody can cause for an address."""
MAIL_ADDRESS: Final = Limit("mail-address", 30, timedelta(hours=1))
LINK_ADDRESS: Final = Limit("link-address", 60, timedelta(minutes=15))
PASSWORD_ACCOUNT: Final = Limit("password-account", 10, timedelta(minutes=15))
"""Asking a signed-in person for his password once more."""
TEST_ACCOUNT: Final = Limit("test-account", 20, timedelta(minutes=10))
TEST_ADDRESS: Final = Limit("test-address", 60, timedelta(minutes=10))


class TooFast(Exception):
    """Too many tries; the next one is possible after `wait`."""

    def __init__(self, wait: timedelta) -> None:
        super().__init__(f"wait {wait.total_seconds():.0f} s")
        self.wait = wait


class Throttle:
    """Counts in Redis, for all processes together; who tried is kept as a hash only."""

    def __init__(self, redis: "Redis") -> None:
        self.redis = redis

    async def take(self, limit: Limit, *who: object) -> None:
        """Counts one try. Raises `TooFast`."""
        key = _key(limit, who)
        async with self.redis.pipeline(transaction=True) as pipe:
            pipe.incr(key)
            pipe.expire(key, limit.per, nx=True)
            pipe.pttl(key)
            count, _, left = await pipe.execute()
        if count > limit.tries:
            raise TooFast(timedelta(milliseconds=max(left, 1000)))

    async def forget(self, limit: Limit, *who: object) -> None:
        """After a success the failures before it no longer count."""
        await self.redis.delete(_key(limit, who))


def _key(limit: Limit, who: tuple[object, ...]) -> str:
    hashed = sha256("\0".join(counted_as(str(part)) for part in who).encode("utf-8", "surrogatepass")).hexdigest()[:24]
    return f"evosync:tries:{limit.name}:{hashed}"


def counted_as(who: str) -> str:
    """Of an address of IPv6 the first half: the other is for a visitor to choose as he likes."""
    try:
        address = ip_address(who)
    except ValueError:
        return who
    if not isinstance(address, IPv6Address):
        return who
    return str(address.ipv4_mapped or ip_network((int(address) >> 64 << 64, 64)))
