"""Which account a till belongs to, the token that its cloud shows us, and whether it is parked."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import RowMapping, bindparam, delete, insert, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from evosync.db.connections import NO_API_TOKEN, Claimed, about_api, about_evotor, save_evotor, unseal
from evosync.db.engine import upsert
from evosync.db.tables import cached_stores, evotor_connections, mirrors, pending_tokens, sync_configs, users
from evosync.domain.connection import Health
from evosync.domain.errors import Side
from evosync.domain.ids import StoreId, UserId
from evosync.domain.policy import StockMode
from evosync.security.seal import Sealed, Sealer

UNINSTALLED: Final = "uninstalled"
SUBSCRIPTION_OVER: Final = "subscription_over"
"""Reasons of a parked connection."""

_e = evotor_connections.c
_p = pending_tokens.c
_u = users.c


@dataclass(frozen=True, slots=True)
class TillAccount:
    """An account with its till. `is_connected`: there is a cloud token. `password_hash` None: nobody can sign in."""

    user: UserId
    till_user: str
    status: str
    email: str | None
    phone: str | None
    password_hash: str | None
    is_connected: bool
    fingerprint: str
    health: Health
    reason: str
    counts_stock: bool
    """The owner chose the till's quantity as stock."""


_ACCOUNT: Final = select(
    _u.id,
    _u.status,
    _u.email,
    _u.phone,
    _u.password_hash,
    _e.till_user,
    _e.sealed,
    _e.fingerprint,
    _e.health,
    _e.reason,
    sync_configs.c.stock_mode,
).select_from(
    evotor_connections.join(users, _u.id == _e.user_id).outerjoin(sync_configs, sync_configs.c.user_id == _u.id)
)
_BY_TILL: Final = _ACCOUNT.where(_e.till_user == bindparam("till_user"))
_BY_USER: Final = _ACCOUNT.where(_e.user_id == bindparam("user"))
_BY_TOKEN: Final = _ACCOUNT.where(_e.api_fingerprint.in_(bindparam("prints", expanding=True)))


async def by_till(connection: AsyncConnection, till_user: str) -> TillAccount | None:
    return _account((await connection.execute(_BY_TILL, {"till_user": till_user})).mappings().first())


async def lock(connection: AsyncConnection, till_user: str) -> None:
    """What is said of this till is dealt with one after another, until the transaction ends."""
    await connection.execute(select(_e.user_id).where(_e.till_user == till_user).with_for_update())


async def by_user(connection: AsyncConnection, user: UserId) -> TillAccount | None:
    return _account((await connection.execute(_BY_USER, {"user": user})).mappings().first())


async def by_token(connection: AsyncConnection, token: str, *, sealer: Sealer) -> TillAccount | None:
    """Whose user token it is (the one that we gave out)."""
    prints = list(sealer.fingerprints(token))
    return _account((await connection.execute(_BY_TOKEN, {"prints": prints})).mappings().first())


def _account(row: RowMapping | None) -> TillAccount | None:
    if row is None:
        return None
    return TillAccount(
        user=UserId(row["id"]),
        till_user=row["till_user"] or "",
        status=row["status"],
        email=row["email"],
        phone=row["phone"],
        password_hash=row["password_hash"],
        is_connected=row["sealed"] is not None,
        fingerprint=row["fingerprint"] or "",
        health=Health(row["health"]),
        reason=row["reason"],
        counts_stock=row["stock_mode"] == StockMode.TILL.value,
    )


async def tie(connection: AsyncConnection, user: UserId, till_user: str) -> None:
    """The account is this till's. A token that we gave out for a former till speaks for it no longer.

    Raises `Claimed`, after which the transaction is good only for its end.
    """
    known = (await connection.execute(select(_e.till_user).where(_e.user_id == user).with_for_update())).first()
    values: dict[str, Any] = {"till_user": till_user}
    try:
        if known is None:
            empty = {"last4": "", "health": Health.OK.value, "reason": ""}
            await connection.execute(insert(evotor_connections).values(user_id=user, **empty, **values))
        elif known[0] != till_user:
            values |= NO_API_TOKEN
            await connection.execute(update(evotor_connections).where(_e.user_id == user).values(**values))
    except IntegrityError as error:
        raise Claimed(Side.EVOTOR) from error


async def give_up(connection: AsyncConnection, user: UserId) -> None:
    """The till goes to another account: this one keeps neither its number nor its tokens."""
    await connection.execute(delete(evotor_connections).where(_e.user_id == user))


async def user_token(connection: AsyncConnection, user: UserId, *, sealer: Sealer) -> str:
    """What the cloud shows us as this owner: always the same, `[A-Za-z0-9_-]` (Evotor FACTS 4.1)."""
    row = (
        await connection.execute(select(_e.api_key_id, _e.api_sealed).where(_e.user_id == user).with_for_update())
    ).one()
    if row.api_sealed is not None:
        opened = unseal(sealer, Sealed(row.api_key_id, row.api_sealed), about=about_api(user))
        if opened is not None:
            return opened.secret
    token = secrets.token_urlsafe(32)
    await _keep_user_token(connection, user, token, sealer=sealer)
    return token


async def _keep_user_token(connection: AsyncConnection, user: UserId, token: str, *, sealer: Sealer) -> None:
    sealed = sealer.seal(token, about=about_api(user))
    values = {"api_sealed": sealed.box, "api_key_id": sealed.key_id, "api_fingerprint": sealer.fingerprint(token)}
    await connection.execute(update(evotor_connections).where(_e.user_id == user).values(**values))


async def cloud_token(connection: AsyncConnection, user: UserId, *, sealer: Sealer) -> str | None:
    """The token to the cloud, in the clear; None where there is none, or it does not open."""
    row = (await connection.execute(select(_e.key_id, _e.sealed).where(_e.user_id == user))).first()
    if row is None or row.sealed is None:
        return None
    opened = unseal(sealer, Sealed(row.key_id, row.sealed), about=about_evotor(user))
    return None if opened is None else opened.secret


async def move(connection: AsyncConnection, user: UserId, to: UserId, *, sealer: Sealer, at: datetime) -> None:
    """Till, cloud token and user token of an account that nobody can sign in to go over to its owner's own."""
    row = (await connection.execute(select(evotor_connections).where(_e.user_id == user))).mappings().one()
    given = await user_token(connection, user, sealer=sealer)
    token = await cloud_token(connection, user, sealer=sealer)
    await give_up(connection, user)
    await tie(connection, to, row["till_user"])
    if token is not None:
        await save_evotor(connection, to, token, till_user=row["till_user"], sealer=sealer, at=at)
    await _keep_user_token(connection, to, given, sealer=sealer)


def _about_pending(till_user: str) -> str:
    return f"pending {till_user}"


async def keep_token(connection: AsyncConnection, till_user: str, token: str, *, sealer: Sealer, at: datetime) -> None:
    """For a till that no account has yet."""
    sealed = sealer.seal(token, about=_about_pending(till_user))
    row = {
        "till_user": till_user,
        "sealed": sealed.box,
        "key_id": sealed.key_id,
        "fingerprint": sealer.fingerprint(token),
        "received_at": at,
    }
    await upsert(connection, pending_tokens, [row])


async def take_token(connection: AsyncConnection, till_user: str, *, sealer: Sealer) -> str | None:
    """The token that came before its till had an account; it is kept no longer."""
    row = (
        await connection.execute(select(_p.key_id, _p.sealed).where(_p.till_user == till_user).with_for_update())
    ).first()
    if row is None:
        return None
    await connection.execute(delete(pending_tokens).where(_p.till_user == till_user))
    opened = unseal(sealer, Sealed(row.key_id, row.sealed), about=_about_pending(till_user))
    return None if opened is None else opened.secret


async def seal_pending_anew(connection: AsyncConnection, sealer: Sealer, *, limit: int = 500) -> int:
    """Moves waiting tokens under an earlier key to the current one; returns how many. Those that do not open stay."""
    query = select(_p.till_user, _p.key_id, _p.sealed).where(_p.key_id != sealer.key_id).limit(limit).with_for_update()
    moved = 0
    for till_user, key_id, box in (await connection.execute(query)).all():
        opened = unseal(sealer, Sealed(key_id, box), about=_about_pending(till_user))
        if opened is None:
            continue
        fresh = sealer.seal(opened.secret, about=_about_pending(till_user))
        values = {"sealed": fresh.box, "key_id": fresh.key_id, "fingerprint": opened.fingerprint}
        await connection.execute(update(pending_tokens).where(_p.till_user == till_user).values(**values))
        moved += 1
    return moved


async def park(connection: AsyncConnection, user: UserId, *, reason: str, at: datetime) -> bool:
    """Nothing is read or written until `unpark`; False if it was so already. Wishes wait no longer."""
    done = await connection.execute(
        update(evotor_connections)
        .where(_e.user_id == user, or_(_e.health != Health.PARKED.value, _e.reason != reason))
        .values(health=Health.PARKED.value, reason=reason, reason_at=at)
    )
    if not done.rowcount:
        return False
    nothing: Mapping[str, Any] = {"wanted_at": None, "wanted_scope": None, "wanted_reasons": [], "next_at": None}
    await connection.execute(update(mirrors).where(mirrors.c.user_id == user).values(**nothing))
    return True


async def unpark(connection: AsyncConnection, user: UserId) -> bool:
    """True if it was parked. What a token is good for shows the next run."""
    done = await connection.execute(
        update(evotor_connections)
        .where(_e.user_id == user, _e.health == Health.PARKED.value)
        .values(health=Health.OK.value, reason="", reason_at=None)
    )
    return bool(done.rowcount)


async def stores_of(connection: AsyncConnection, user: UserId) -> Mapping[StoreId, tuple[str, str]]:
    """Known stores with name and address."""
    query = select(cached_stores.c.store_id, cached_stores.c.name, cached_stores.c.address)
    rows = (await connection.execute(query.where(cached_stores.c.user_id == user))).all()
    return {StoreId(store): (name, address) for store, name, address in rows}


async def is_phone_known(connection: AsyncConnection, phone: str) -> bool:
    return await connection.scalar(select(_u.id).where(_u.phone == phone).limit(1)) is not None
