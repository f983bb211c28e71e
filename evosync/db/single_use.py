"""Single-use links, as letters carry them."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import RowMapping, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from evosync.db.tables.site import links
from evosync.domain.ids import UserId


class Purpose(StrEnum):
    """What a single-use link is for."""

    CONFIRM = "confirm"
    NEW_EMAIL = "new_email"
    RESET = "reset"
    INVITE = "invite"


@dataclass(frozen=True, slots=True)
class Link:
    """A single-use link as it is kept: without the link itself."""

    id: int
    user: UserId
    purpose: Purpose
    nonce: bytes
    hash: bytes
    detail: str
    expires_at: datetime
    used_at: datetime | None


def _link(row: RowMapping) -> Link:
    return Link(
        id=row["id"],
        user=UserId(row["user_id"]),
        purpose=Purpose(row["purpose"]),
        nonce=bytes(row["nonce"]),
        hash=bytes(row["hash"]),
        detail=row["detail"],
        expires_at=row["expires_at"],
        used_at=row["used_at"],
    )


async def add(
    connection: AsyncConnection,
    *,
    user: UserId,
    purpose: Purpose,
    nonce: bytes,
    hashed: bytes,
    detail: str,
    at: datetime,
    expires_at: datetime,
) -> int:
    made = await connection.execute(
        insert(links)
        .values(
            user_id=user,
            purpose=purpose.value,
            nonce=nonce,
            hash=hashed,
            detail=detail,
            created_at=at,
            expires_at=expires_at,
            used_at=None,
        )
        .returning(links.c.id)
    )
    return int(made.scalar_one())


async def by_hash(connection: AsyncConnection, hashed: bytes) -> Link | None:
    row = (await connection.execute(select(links).where(links.c.hash == hashed))).mappings().first()
    return _link(row) if row is not None else None


async def get(connection: AsyncConnection, number: int) -> Link | None:
    row = (await connection.execute(select(links).where(links.c.id == number))).mappings().first()
    return _link(row) if row is not None else None


async def use(connection: AsyncConnection, number: int, *, at: datetime) -> bool:
    """True for exactly one of all who try."""
    changed = await connection.execute(
        update(links).where(links.c.id == number, links.c.used_at.is_(None), links.c.expires_at > at).values(used_at=at)
    )
    return bool(changed.rowcount == 1)


async def drop(connection: AsyncConnection, user: UserId, purposes: Iterable[Purpose], *, at: datetime) -> None:
    """Makes all unused links of these purposes useless."""
    wanted = [purpose.value for purpose in purposes]
    await connection.execute(
        update(links)
        .where(links.c.user_id == user, links.c.purpose.in_(wanted), links.c.used_at.is_(None))
        .values(used_at=at)
    )
