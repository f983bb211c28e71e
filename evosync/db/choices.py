"""What the owner decided: switches, settings, start and pause."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, RowMapping, bindparam, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from evosync.db.engine import upsert
from evosync.db.tables import cached_groups, cached_stores, sync_configs, sync_filters
from evosync.domain.ids import ROOT, GroupId, StoreId, UserId
from evosync.domain.policy import Choice, Gone, Policy, StockMode

_f = sync_filters.c
_s = sync_configs.c
_STORE, _GROUP = "store", "group"
_SWITCHES: Final = select(_f.entity_type, _f.parent_entity_id, _f.entity_id, _f.enabled).where(
    _f.user_id == bindparam("user")
)
_ON: Final = select(_f.entity_type).where(_f.user_id == bindparam("user"), _f.enabled).distinct()

Switches = tuple[dict[StoreId, bool], dict[tuple[StoreId, GroupId], bool]]


class Unknown(Exception):
    """The till has no such store or group."""


async def switches(connection: AsyncConnection, user: UserId) -> Switches:
    """Of stores and of groups."""
    stores: dict[StoreId, bool] = {}
    groups: dict[tuple[StoreId, GroupId], bool] = {}
    for kind, parent, entity, enabled in (await connection.execute(_SWITCHES, {"user": user})).all():
        if kind == _STORE:
            stores[entity] = enabled
        else:
            groups[parent, entity] = enabled
    return stores, groups


async def load_choice(connection: AsyncConnection, user: UserId) -> Choice:
    row = (await connection.execute(select(sync_configs).where(_s.user_id == user))).mappings().one()
    return read_choice(row, await switches(connection, user))


def read_choice(row: RowMapping, switched: Switches) -> Choice:
    stores, groups = switched
    return Choice(stores, groups, frozenset(row[_s.new_groups_on]), tuple(row[_s.store_order]))


def read_policy(row: RowMapping, defaults: Policy) -> Policy:
    """The operator's values where the owner has none of his own."""
    own: Mapping[str, Any] = {
        "weight_grams": row[_s.weight_multiplier],
        "stock_mode": row[_s.stock_mode] and StockMode(row[_s.stock_mode]),
        "when_gone": row[_s.when_gone] and Gone(row[_s.when_gone]),
        "when_switched_off": row[_s.when_switched_off] and Gone(row[_s.when_switched_off]),
        "category": row[_s.category_id],
        "root_group_title": row[_s.root_group_title],
    }
    given = {name: value for name, value in own.items() if value is not None}
    return replace(defaults, allowed_kinds=frozenset(row[_s.allowed_kinds]), **given)


async def are_on(connection: AsyncConnection, user: UserId) -> tuple[bool, bool]:
    """Whether any store is switched on, and any group."""
    found = set((await connection.execute(_ON, {"user": user})).scalars())
    return _STORE in found, _GROUP in found


async def set_choice(
    connection: AsyncConnection,
    user: UserId,
    *,
    on: bool,
    store: StoreId | None = None,
    group: GroupId | None = None,
) -> None:
    """Switch one group of a store, a store (its groups keep theirs), or, naming neither, all that is known.

    A group is switched alone; switching it on does not switch on its store. All: every known store with
    its groups and its root. Raises `Unknown`, and `ValueError` for a group without its store.
    """
    if group is not None and store is None:
        raise ValueError("name the group's store too")
    stores, groups = await _known(connection, user)
    if store is not None and store not in stores:
        raise Unknown(f"no store {store}")
    if store is not None and group is not None:
        if (store, group) not in groups:
            raise Unknown(f"no group {group} in the store {store}")
        chosen: list[tuple[str, str, str]] = [(_GROUP, store, group)]
    elif store is not None:
        chosen = [(_STORE, "", store)]
    else:
        chosen = [(_STORE, "", known) for known in stores] + [(_GROUP, *known) for known in groups]
    rows = [
        {"user_id": user, "entity_type": kind, "parent_entity_id": parent, "entity_id": entity, "enabled": on}
        for kind, parent, entity in chosen
    ]
    await upsert(connection, sync_filters, rows)


async def _known(connection: AsyncConnection, user: UserId) -> tuple[set[StoreId], set[tuple[StoreId, GroupId]]]:
    s, g = cached_stores.c, cached_groups.c
    stores = set((await connection.execute(select(s.store_id).where(s.user_id == user))).scalars())
    query = select(g.store_id, g.group_id).where(g.user_id == user, g.holds_modifications.is_(False))
    groups = {(store, group) for store, group in (await connection.execute(query)).all()}
    return stores, groups | {(store, ROOT) for store in stores}


async def set_new_groups(connection: AsyncConnection, user: UserId, store: StoreId, *, on: bool) -> None:
    """Whether a group that appears later in this store starts switched on."""
    query = select(_s.new_groups_on).where(_s.user_id == user).with_for_update()
    named = set((await connection.execute(query)).scalar_one())
    changed = named | {store} if on else named - {store}
    if changed != named:
        await connection.execute(update(sync_configs).where(_s.user_id == user).values(new_groups_on=sorted(changed)))


async def start_mirror(connection: AsyncConnection, user: UserId, *, at: datetime) -> bool:
    """The owner's first start, from which on VK may be written to; False if it was long ago."""
    return await _stamp(connection, user, _s.started_at.is_(None), started_at=at)


async def pause_mirror(connection: AsyncConnection, user: UserId, *, at: datetime) -> bool:
    return await _stamp(connection, user, _s.paused_at.is_(None), paused_at=at)


async def resume_mirror(connection: AsyncConnection, user: UserId) -> bool:
    """False if it was not paused. What was wished for meanwhile is due."""
    return await _stamp(connection, user, _s.paused_at.is_not(None), paused_at=None)


async def _stamp(
    connection: AsyncConnection, user: UserId, condition: ColumnElement[bool], **values: datetime | None
) -> bool:
    done = await connection.execute(update(sync_configs).where(_s.user_id == user, condition).values(**values))
    return done.rowcount > 0
