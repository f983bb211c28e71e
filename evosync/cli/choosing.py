"""`choose`."""

import argparse

from sqlalchemy.exc import NoResultFound
from sqlalchemy.ext.asyncio import AsyncConnection

from evosync.app import Core
from evosync.cli.accounts import find
from evosync.cli.errors import UserError
from evosync.cli.sync import run_once
from evosync.db import choices
from evosync.domain.ids import ROOT, GroupId, StoreId, UserId
from evosync.domain.mirror import Reason, Scope
from evosync.domain.policy import Choice

_NO_GROUP = '""'
"""As a shell takes it."""


async def choose(core: Core, options: argparse.Namespace) -> int:
    user = await find(core, options.email)
    store = StoreId(options.store) if options.store is not None else None
    group = GroupId(options.group) if options.group is not None else None
    if group is not None and store is None:
        raise UserError("name the group's store too: --store ID --group ID")
    if not await core.ledger.stores(user):
        await _read_till(core, user)
    groups = [
        known.id for known in await core.ledger.groups(user) if known.store == store and not known.holds_modifications
    ] + [ROOT]

    async def switch(connection: AsyncConnection) -> Choice:
        await choices.set_choice(connection, user, on=options.on, store=store, group=group)
        if options.on and store is not None and group is None:
            await _begin(connection, user, store, groups)
        return await choices.load_choice(connection, user)

    try:
        choice = await core.database.write(switch)
    except (choices.Unknown, NoResultFound):
        raise UserError("the till has no such store or group; its stores:\n" + await _listed(core, user)) from None
    await core.ledger.want(user, scope=Scope.FULL, reason=Reason.CHOICE, at=core.clock())
    what = "the group" if group is not None else "the store" if store is not None else "all stores and groups"
    print(f"Switched {what} {'on' if options.on else 'off'}.")
    if options.on and store is not None:
        shown = [group] if group is not None else groups
        print("".join(f"{line}\n" for line in await _left_off(core, user, choice, store, shown)), end="")
    return 0


async def _begin(connection: AsyncConnection, user: UserId, store: StoreId, groups: list[GroupId]) -> None:
    """A store of which nothing is on comes with its groups, but for those that were switched off by name."""
    choice = await choices.load_choice(connection, user)
    if any(choice.shows_group(store, group) for group in groups):
        return
    for group in groups:
        if (store, group) not in choice.groups:
            await choices.set_choice(connection, user, on=True, store=store, group=group)


async def _left_off(core: Core, user: UserId, choice: Choice, store: StoreId, groups: list[GroupId]) -> list[str]:
    """What keeps goods of these groups out of VK although something of it was just switched on."""
    if not choice.shows_store(store):
        return [f"Its store is off, so nothing of it is shown yet; switch it on too: --on --store {store}"]
    off = [group for group in groups if not choice.shows_group(store, group)]
    if not off:
        return []
    names = {known.id: known.name for known in await core.ledger.groups(user) if known.store == store}
    some = "These of its groups are off" if len(off) < len(groups) else "All its groups are off, so nothing is shown"
    lines = [f"  {group or _NO_GROUP}  {names.get(group, 'products without a group')}" for group in off]
    return [f"{some}; switch them on one by one: --on --store {store} --group ID", *lines]


async def _read_till(core: Core, user: UserId) -> None:
    """The till has not been read yet: without it there is nothing to choose from."""
    record = await run_once(core, user, reason=Reason.CONNECTED, dry=True)
    if record is None:
        raise UserError("no till is connected: evosync connect EMAIL evotor")


async def _listed(core: Core, user: UserId) -> str:
    stores = await core.ledger.stores(user)
    groups = await core.ledger.groups(user)
    lines = []
    for store in stores:
        lines.append(f"  {store.id}  {store.name}")
        lines += [f"    {group.id}  {group.name}" for group in groups if group.store == store.id]
    return "\n".join(lines)
