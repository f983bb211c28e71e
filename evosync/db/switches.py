"""The owner's switches as the pages flip them, and the run that follows after some quiet."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from evosync.db import choices
from evosync.db import mirrors as due
from evosync.db.engine import upsert
from evosync.db.tables import cached_groups, cached_stores, mirrors, sync_filters
from evosync.domain.ids import ROOT, GroupId, StoreId, UserId
from evosync.domain.mirror import Reason, Scope

QUIET: Final = timedelta(seconds=5)
"""Who flips one switch flips another: a run waits for so long after the last."""

_m = mirrors.c
_s = cached_stores.c
_g = cached_groups.c


async def flip(
    connection: AsyncConnection, user: UserId, *, on: bool, store: StoreId, group: GroupId | None = None, at: datetime
) -> bool:
    """Switch a store or one of its groups; False if it stood so already. Raises `choices.Unknown`."""
    now = await choices.load_choice(connection, user)
    known = now.stores.get(store) if group is None else now.groups.get((store, group))
    if group is not None and not any(decided == store for decided, _ in now.groups):
        # The first choice in a store is one about all that stand there: what is left alone is no new group later.
        states = {other: now.shows_group(store, other) for other in await _groups(connection, user, store)}
        await upsert(connection, sync_filters, _rows(user, store, states))
    await choices.set_choice(connection, user, on=on, store=store, group=group)
    if known is on:
        return False
    await _want_soon(connection, user, at)
    return True


async def flip_all(connection: AsyncConnection, user: UserId, *, on: bool, store: StoreId, at: datetime) -> None:
    """All groups of a store and its products without a group. Raises `choices.Unknown`."""
    groups = await _groups(connection, user, store)
    await upsert(connection, sync_filters, _rows(user, store, dict.fromkeys(groups, on)))
    await _want_soon(connection, user, at)


async def decide_new(connection: AsyncConnection, user: UserId, *, on: bool, store: StoreId, at: datetime) -> None:
    """Whether groups that appear later start switched on; those that are known keep their state.

    What has been on or off without a decision of its own gets one first. Raises `choices.Unknown`.
    """
    groups = await _groups(connection, user, store)
    choice = await choices.load_choice(connection, user)
    if (store in choice.new_groups_on) is on:
        return
    open_ = {group: choice.shows_group(store, group) for group in groups if (store, group) not in choice.groups}
    await upsert(connection, sync_filters, _rows(user, store, open_))
    await choices.set_new_groups(connection, user, store, on=on)
    await _want_soon(connection, user, at)


async def _groups(connection: AsyncConnection, user: UserId, store: StoreId) -> list[GroupId]:
    if await connection.scalar(select(_s.store_id).where(_s.user_id == user, _s.store_id == store)) is None:
        raise choices.Unknown(f"no store {store}")
    query = select(_g.group_id).where(_g.user_id == user, _g.store_id == store, _g.holds_modifications.is_(False))
    return [ROOT, *(await connection.execute(query)).scalars()]


def _rows(user: UserId, store: StoreId, states: Mapping[GroupId, bool]) -> Iterable[dict[str, Any]]:
    return [
        {"user_id": user, "entity_type": "group", "parent_entity_id": store, "entity_id": group, "enabled": on}
        for group, on in states.items()
    ]


async def _want_soon(connection: AsyncConnection, user: UserId, at: datetime) -> None:
    """No nudge goes with it: a nudge is answered at once, while the clock waits for the quiet.

    Before the first start the run only reads, and what it says of each product fits the new choice.
    """
    query = select(_m.wanted_reasons).where(_m.user_id == user).with_for_update()
    waiting = (await connection.execute(query)).scalar_one()
    await due.want(connection, user, scope=Scope.FULL, reason=Reason.CHOICE, at=at + QUIET)
    if waiting == [Reason.CHOICE]:
        await connection.execute(update(mirrors).where(_m.user_id == user).values(wanted_at=at + QUIET))
