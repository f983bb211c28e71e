"""Single-use links: derived from the service's key, kept as a hash, good for one press and a limited time."""

import hmac
import secrets
from base64 import urlsafe_b64encode
from collections.abc import Sequence
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection

from evosync.db import single_use
from evosync.db.single_use import Link, Purpose
from evosync.domain.ids import UserId

LIFETIMES: Final = {
    Purpose.CONFIRM: timedelta(hours=48),
    Purpose.NEW_EMAIL: timedelta(hours=24),
    Purpose.RESET: timedelta(hours=2),
}
"""An invitation's is the operator's setting."""

PATHS: Final = {
    Purpose.CONFIRM: "/confirm-email",
    Purpose.NEW_EMAIL: "/confirm-email",
    Purpose.RESET: "/reset-password",
    Purpose.INVITE: "/invite",
}


class BadLink(Exception):
    """Used, too old, for something else, or made up."""


class Links:
    """Makes links and knows them again. A copy of the database is of no use for making one."""

    def __init__(self, keys: Sequence[bytes], *, base_url: str, invite_hours: int) -> None:
        """`keys`: the current one first, then earlier ones, whose letters may still wait to be sent."""
        self._keys = [hmac.new(key, b"single-use link", sha256).digest() for key in keys]
        self._base_url = base_url
        self._invitation = timedelta(hours=invite_hours)

    async def add(
        self, connection: AsyncConnection, user: UserId, purpose: Purpose, *, at: datetime, detail: str = ""
    ) -> int:
        """The number of the new link, for the letter that will carry it."""
        nonce = secrets.token_bytes(16)
        return await single_use.add(
            connection,
            user=user,
            purpose=purpose,
            nonce=nonce,
            hashed=_hash(_secret(self._keys[0], purpose, nonce)),
            detail=detail,
            at=at,
            expires_at=at + LIFETIMES.get(purpose, self._invitation),
        )

    def address(self, link: Link) -> str:
        """The link as a letter carries it. Raises `BadLink` where it was made with a key that is no longer known."""
        for key in self._keys:
            secret = _secret(key, link.purpose, link.nonce)
            if hmac.compare_digest(_hash(secret), link.hash):
                return f"{self._base_url}{PATHS[link.purpose]}?token={secret}"
        raise BadLink


async def find_link(connection: AsyncConnection, secret: str, *purposes: Purpose, at: datetime) -> Link:
    """The link that this secret opens, looked at and not used. Raises `BadLink`."""
    found = await single_use.by_hash(connection, _hash(secret))
    if found is None or found.purpose not in purposes or found.used_at is not None or found.expires_at <= at:
        raise BadLink
    return found


async def use_link(connection: AsyncConnection, secret: str, *purposes: Purpose, at: datetime) -> Link:
    """The same, and used up. Raises `BadLink` for all but the first of several presses."""
    found = await find_link(connection, secret, *purposes, at=at)
    if not await single_use.use(connection, found.id, at=at):
        raise BadLink
    return found


def _secret(key: bytes, purpose: Purpose, nonce: bytes) -> str:
    raw = hmac.new(key, purpose.value.encode() + b"\0" + nonce, sha256).digest()
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


def _hash(secret: str) -> bytes:
    return sha256(secret.encode("utf-8", "surrogatepass")).digest()
