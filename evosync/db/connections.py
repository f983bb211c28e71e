"""Credentials for both clouds: stored sealed, found by fingerprint, each till and community claimed once."""

from contextlib import suppress
from datetime import datetime
from typing import Any

from sqlalchemy import Table, delete, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from evosync.db import tills
from evosync.db.tables import evotor_connections, mirrors, vk_connections
from evosync.domain.connection import Health, Token
from evosync.domain.errors import Side
from evosync.domain.ids import CommunityId, UserId
from evosync.domain.mirror import Reason, Scope
from evosync.security.seal import Sealed, Sealer, Unsealable

UNREADABLE = "unreadable"
"""Reason of a connection whose token does not open any more: SECRET_KEY was changed without the earlier one."""

NO_API_TOKEN: dict[str, Any] = {"api_sealed": None, "api_key_id": None, "api_fingerprint": None}
"""For another till: what the cloud was given for the former one speaks for the account no longer."""

_e = evotor_connections.c
_v = vk_connections.c
_TABLES: dict[Side, Table] = {Side.EVOTOR: evotor_connections, Side.VK: vk_connections}


class Claimed(Exception):
    """The till account or the community belongs to another owner."""

    def __init__(self, side: Side) -> None:
        super().__init__(f"this {'till account' if side is Side.EVOTOR else 'community'} belongs to another owner")
        self.side = side


def about_evotor(user: UserId) -> str:
    return f"evotor {user}"


def about_vk(user: UserId) -> str:
    return f"vk {user}"


def about_api(user: UserId) -> str:
    return f"api {user}"


def unseal(sealer: Sealer, sealed: Sealed, *, about: str) -> Token | None:
    """None if it does not open."""
    try:
        secret = sealer.open(sealed, about=about)
    except Unsealable:
        return None
    return Token(secret, sealer.fingerprint(secret))


def _token(sealer: Sealer, secret: str, *, about: str, at: datetime) -> dict[str, Any]:
    sealed = sealer.seal(secret, about=about)
    return {
        "sealed": sealed.box,
        "key_id": sealed.key_id,
        "fingerprint": sealer.fingerprint(secret),
        # Of a short token four characters would tell too much.
        "last4": secret[-4:] if len(secret) > 12 else "",
        "health": Health.OK.value,
        "reason": "",
        "reason_at": None,
        "connected_at": at,
    }


async def save_evotor(
    connection: AsyncConnection, user: UserId, token: str, *, till_user: str | None, sealer: Sealer, at: datetime
) -> None:
    """`till_user` None keeps what is known. Raises `Claimed`, after which the transaction is good only for its end.

    A token that another owner has is his till's, whether or not a till has told its number by now. Looked for once our
    own row is written: of two who bring the same token at once, one waits for the other's row and finds it.
    """
    values = _token(sealer, token, about=about_evotor(user), at=at)
    if till_user:
        values["till_user"] = till_user
        known = await connection.scalar(select(_e.till_user).where(_e.user_id == user))
        if known not in (None, till_user):
            values |= NO_API_TOKEN
    await _save(connection, Side.EVOTOR, user, values)
    same = select(_e.user_id).where(_e.fingerprint.in_(sealer.fingerprints(token)), _e.user_id != user)
    if (await connection.execute(same.with_for_update())).first() is not None:
        raise Claimed(Side.EVOTOR)


async def save_vk(
    connection: AsyncConnection,
    user: UserId,
    token: str,
    *,
    community: CommunityId,
    name: str,
    vk_user_id: int | None,
    expires_at: datetime | None,
    sealer: Sealer,
    at: datetime,
) -> None:
    """Raises `Claimed`, after which the transaction is good only for its end."""
    before = await connection.scalar(select(_v.group_id).where(_v.user_id == user))
    values = _token(sealer, token, about=about_vk(user), at=at)
    values |= {"group_id": community, "community_name": name, "vk_user_id": vk_user_id, "expires_at": expires_at}
    await _save(connection, Side.VK, user, values)
    if before != community:
        await _show_items_of(connection, user, community)


async def _save(connection: AsyncConnection, side: Side, user: UserId, values: dict[str, Any]) -> None:
    table = _TABLES[side]
    try:
        known = await connection.scalar(select(table.c.user_id).where(table.c.user_id == user))
        if known is None:
            await connection.execute(insert(table).values(user_id=user, **values))
        else:
            await connection.execute(update(table).where(table.c.user_id == user).values(**values))
    except IntegrityError as error:
        raise Claimed(side) from error


async def _show_items_of(connection: AsyncConnection, user: UserId, community: CommunityId) -> None:
    """Another community: its own links say which items the products are there. Its shop has to be read first."""
    await tills.show_items(connection, user, community)
    await connection.execute(
        update(mirrors).where(mirrors.c.user_id == user).values(shop_read_at=None, pauses={}, behind_since=None)
    )


async def till_is_nameless(connection: AsyncConnection, user: UserId) -> bool:
    """There is a connection, and whose till it is has not been told."""
    found = await connection.execute(select(_e.user_id).where(_e.user_id == user, _e.till_user.is_(None)))
    return found.first() is not None


async def note_till_user(
    connection: AsyncConnection, user: UserId, till_user: str, *, connected_at: datetime | None = None
) -> None:
    """What the till itself reported when it was read: from now on no other account can be linked to this till.

    A till that another account has already stays with that one. `connected_at`: what was read through an earlier
    connection names no till of today's.
    """
    query = select(_e.till_user, _e.connected_at).where(_e.user_id == user).with_for_update()
    known = (await connection.execute(query)).first()
    if known is None or known.till_user == till_user or connected_at not in {None, known.connected_at}:
        return
    with suppress(IntegrityError):
        async with connection.begin_nested():
            values = {"till_user": till_user, **(NO_API_TOKEN if known.till_user else {})}
            await connection.execute(update(evotor_connections).where(_e.user_id == user).values(**values))


async def disconnect_evotor(connection: AsyncConnection, user: UserId) -> None:
    """Erases the token. An account that was made by the cloud's webhooks stays tied to its till."""
    await connection.execute(delete(evotor_connections).where(_e.user_id == user, _e.api_sealed.is_(None)))
    nothing = {"sealed": None, "key_id": None, "fingerprint": None, "last4": "", "connected_at": None}
    await connection.execute(update(evotor_connections).where(_e.user_id == user).values(**nothing))


async def disconnect_vk(connection: AsyncConnection, user: UserId) -> None:
    """Erases the token and gives the community free; its links stay for the day it is connected again."""
    await connection.execute(delete(vk_connections).where(_v.user_id == user))


async def break_connection(
    connection: AsyncConnection,
    user: UserId,
    side: Side,
    *,
    reason: str,
    at: datetime,
    connected_at: datetime | None = None,
) -> bool:
    """`connected_at`: only the connection made then, for what one before it was refused says nothing of this one."""
    table = _TABLES[side]
    query = update(table).where(table.c.user_id == user, table.c.health == Health.OK.value)
    if connected_at is not None:
        query = query.where(table.c.connected_at == connected_at)
    done = await connection.execute(query.values(health=Health.BROKEN.value, reason=reason, reason_at=at))
    return done.rowcount > 0


async def broken_since(connection: AsyncConnection, user: UserId, side: Side) -> datetime | None:
    """None if it is not."""
    c = _TABLES[side].c
    query = select(c.reason_at).where(c.user_id == user, c.health == Health.BROKEN.value)
    since: datetime | None = await connection.scalar(query)
    return since


async def mend_one(connection: AsyncConnection, user: UserId, side: Side) -> None:
    table = _TABLES[side]
    await connection.execute(
        update(table)
        .where(table.c.user_id == user, table.c.health == Health.BROKEN.value)
        .values(health=Health.OK.value, reason="", reason_at=None)
    )


async def mend(connection: AsyncConnection, side: Side, *, reason: str, since: datetime) -> int:
    """The owners are due again at once."""
    table = _TABLES[side]
    broken = (table.c.health == Health.BROKEN.value, table.c.reason == reason, table.c.reason_at >= since)
    query = select(table.c.user_id).where(*broken).order_by(table.c.user_id).with_for_update()
    owners = list((await connection.execute(query)).scalars())
    for owner in owners:
        await connection.execute(
            update(table)
            .where(table.c.user_id == owner, *broken)
            .values(health=Health.OK.value, reason="", reason_at=None)
        )
        await connection.execute(
            update(mirrors).where(mirrors.c.user_id == owner, mirrors.c.run_id.is_(None)).values(next_at=since)
        )
        # A run that met the fault, or only asks the till yet, puts the owner to sleep when it ends: wish for another.
        await connection.execute(
            update(mirrors)
            .where(mirrors.c.user_id == owner, mirrors.c.wanted_at.is_(None))
            .values(wanted_at=since, wanted_scope=Scope.DELTA.value, wanted_reasons=[Reason.MENDED])
        )
    return len(owners)


async def seal_anew(connection: AsyncConnection, sealer: Sealer, *, limit: int = 500) -> int:
    """Moves tokens under an earlier key to the current one; returns how many. Those that do not open stay."""
    moved = 0
    for table, about, prefix in (
        (evotor_connections, about_evotor, ""),
        (evotor_connections, about_api, "api_"),
        (vk_connections, about_vk, ""),
    ):
        box, key = table.c[f"{prefix}sealed"], table.c[f"{prefix}key_id"]
        query = select(table.c.user_id, key, box).where(key != sealer.key_id).limit(limit).with_for_update()
        for user, key_id, sealed in (await connection.execute(query)).all():
            opened = unseal(sealer, Sealed(key_id, sealed), about=about(UserId(user)))
            if opened is None:
                continue
            fresh = sealer.seal(opened.secret, about=about(UserId(user)))
            values = {"sealed": fresh.box, "key_id": fresh.key_id, "fingerprint": opened.fingerprint}
            await connection.execute(
                update(table)
                .where(table.c.user_id == user)
                .values({f"{prefix}{name}": value for name, value in values.items()})
            )
            moved += 1
    return moved
