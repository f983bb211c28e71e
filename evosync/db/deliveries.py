"""The log of what the Evotor cloud told us: written before it is answered, done once, and again if an admin asks."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from hashlib import blake2b
from typing import Any, Final

from sqlalchemy import bindparam, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from evosync.db.engine import chunked
from evosync.db.tables.deliveries import TILL_USER, deliveries
from evosync.domain.ids import UserId

_d = deliveries.c


class Kind(StrEnum):
    """Which webhook it was; the value is stored."""

    CREATE = "create"
    VERIFY = "verify"
    TOKEN = "token"  # noqa: S105 - a kind of delivery
    INSTALLATION = "installation"
    SUBSCRIPTION = "subscription"
    STORES = "stores"
    PRODUCTS = "products"
    DOCUMENTS = "documents"
    RECEIPTS = "receipts"
    EVENT = "event"
    DEVICES = "devices"
    EMPLOYEES = "employees"


class State(StrEnum):
    """`WAITING`: stored and not yet done. `DROPPED`: understood, and of no use here. `REFUSED`: see `code`."""

    WAITING = "waiting"
    DONE = "done"
    DROPPED = "dropped"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Delivery:
    """`facts` hold ids alone, never a secret. `key` is of what repeats (see `key_of`), `code` Evotor's of a refusal."""

    kind: Kind
    received_at: datetime
    till_user: str | None = None
    user: UserId | None = None
    key: str | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)
    state: State = State.WAITING
    code: int | None = None
    done_at: datetime | None = None
    id: int = 0


class Known(Exception):
    """The same delivery has come before."""


def key_of(kind: Kind, *parts: object) -> str:
    """By which a repeated delivery is known: of an installation its id, of a subscription its number in order."""
    text = "\0".join([kind.value, *(str(part) for part in parts)])
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=24).hexdigest()


def _values(delivery: Delivery) -> dict[str, Any]:
    till_user = delivery.till_user
    return {
        "received_at": delivery.received_at,
        "kind": delivery.kind.value,
        "till_user": till_user[:TILL_USER] if till_user else None,
        "user_id": delivery.user,
        "key": delivery.key,
        "facts": dict(delivery.facts),
        "state": delivery.state.value,
        "code": delivery.code,
        "done_at": delivery.done_at,
    }


async def add(connection: AsyncConnection, delivery: Delivery) -> int:
    """Raises `Known`, after which the transaction goes on as if nothing had been tried."""
    try:
        async with connection.begin_nested():
            made = await connection.execute(insert(deliveries).values(_values(delivery)))
    except IntegrityError as error:
        raise Known from error
    return int(made.inserted_primary_key[0]) if made.inserted_primary_key else 0


async def add_all(connection: AsyncConnection, found: Sequence[Delivery]) -> None:
    """Many at once; none of them has a key."""
    if found:
        await connection.execute(insert(deliveries), [_values(each) for each in found])


_WAITING: Final = (
    select(deliveries)
    .where(_d.user_id == bindparam("user"), _d.state == State.WAITING.value)
    .order_by(_d.id)
    .with_for_update()
)


async def waiting(connection: AsyncConnection, user: UserId) -> Sequence[Delivery]:
    """What was stored for this owner and not done, held until the transaction ends."""
    rows = (await connection.execute(_WAITING, {"user": user})).mappings()
    return [_delivery(row) for row in rows]


async def users_waiting(connection: AsyncConnection) -> Sequence[UserId]:
    """Owners for whom a process that died left something."""
    query = select(_d.user_id).distinct().where(_d.state == State.WAITING.value, _d.user_id.is_not(None))
    return [UserId(user) for user in (await connection.execute(query)).scalars()]


async def finish(
    connection: AsyncConnection, numbers: Iterable[int], *, state: State = State.DONE, at: datetime
) -> None:
    for part in chunked(numbers):
        await connection.execute(update(deliveries).where(_d.id.in_(part)).values(state=state.value, done_at=at))


async def of_user(connection: AsyncConnection, user: UserId, *, limit: int = 50) -> Sequence[Delivery]:
    """The newest first, for the admin's page."""
    query = select(deliveries).where(_d.user_id == user).order_by(_d.received_at.desc(), _d.id.desc()).limit(limit)
    return [_delivery(row) for row in (await connection.execute(query)).mappings()]


async def one(connection: AsyncConnection, number: int) -> Delivery | None:
    row = (await connection.execute(select(deliveries).where(_d.id == number).with_for_update())).mappings().first()
    return None if row is None else _delivery(row)


async def last_order(connection: AsyncConnection, kind: Kind, till_user: str) -> Sequence[Delivery]:
    """What a till said of one kind, the newest received first."""
    query = (
        select(deliveries)
        .where(_d.till_user == till_user, _d.kind == kind.value, _d.state != State.REFUSED.value)
        .order_by(_d.id.desc())
        .limit(200)
    )
    return [_delivery(row) for row in (await connection.execute(query)).mappings()]


def _delivery(row: Mapping[Any, Any]) -> Delivery:
    return Delivery(
        kind=Kind(row["kind"]),
        received_at=row["received_at"],
        till_user=row["till_user"],
        user=None if row["user_id"] is None else UserId(row["user_id"]),
        key=row["key"],
        facts=row["facts"],
        state=State(row["state"]),
        code=row["code"],
        done_at=row["done_at"],
        id=row["id"],
    )
