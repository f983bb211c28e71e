"""Lists of items go into their albums beside everything else; what becomes of them when the run ends badly."""

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest

from evosync.domain.ids import CommunityId, ProductId, RunId, UserId
from evosync.domain.links import Link
from evosync.domain.mirror import Progress, RunRecord, Tally
from evosync.domain.status import Standing, Status
from evosync.sync import placing
from evosync.sync.mailbox import Mailbox
from tests.sync.test_run_meanwhile import hint
from tests.sync.test_run_mended import wished
from tests.sync.world import World

MANY = 20
"""So many in two groups that whole lists go off while the rest is being made."""


@pytest.fixture(autouse=True)
def _short_lists(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(placing, "LIST", 4)


def when(world: World, happened: Callable[[Tally], bool]) -> asyncio.Event:
    """Set as soon as the figures of a run are so."""
    seen = asyncio.Event()

    class Watcher:
        def saw(self, _user: UserId, _run: RunId, _progress: Progress, tally: Tally) -> None:
            if happened(tally):
                seen.set()

        def ended(self, record: RunRecord) -> None:
            pass

    world.engine = replace(world.engine, watcher=Watcher())
    return seen


def said_to_have_no_album(world: World, monkeypatch: pytest.MonkeyPatch) -> list[ProductId]:
    """Products of which that is said from now on."""
    said: list[ProductId] = []
    save = world.ledger.save_statuses

    async def listening(
        user: UserId,
        statuses: Mapping[ProductId, Status],
        *,
        instead_of: Collection[Standing] | None = None,
        **how: Any,
    ) -> None:
        said.extend(product for product, status in statuses.items() if status.standing is Standing.IN_STEP_NO_ALBUM)
        await save(user, statuses, instead_of=instead_of, **how)

    monkeypatch.setattr(world.ledger, "save_statuses", listening)
    return said


async def test_a_database_that_fails_after_a_list_was_placed_ends_the_run(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner = await world.owner(MANY)
    failed, recorded = asyncio.Event(), asyncio.Event()
    placed, linked = world.ledger.save_placed, world.ledger.save_links

    async def fail_once(*lists: Any) -> None:
        if failed.is_set():
            return await placed(*lists)
        failed.set()
        raise OSError("the disk is full")

    async def wait_for_it(*links: Any) -> None:
        if recorded.is_set():
            await failed.wait()
        recorded.set()
        await linked(*links)

    with monkeypatch.context() as patch:
        patch.setattr(world.ledger, "save_placed", fail_once)
        patch.setattr(world.ledger, "save_links", wait_for_it)
        with pytest.RaisesGroup(OSError, flatten_subgroups=True):
            await owner.run()
    await wished(owner)
    await owner.settled()
    owner.assert_mirrored()


async def test_a_run_that_is_killed_while_albums_are_being_made_says_nothing_about_albums(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner = await world.owner(MANY)
    world.sandbox.fault("hold", "market.addAlbum", times=2)
    made, said = when(world, lambda tally: tally.created == MANY), said_to_have_no_album(world, monkeypatch)
    run = asyncio.create_task(owner.run())
    async with asyncio.timeout(20):
        await made.wait()
    run.cancel()
    world.sandbox.faults.clear()
    await asyncio.wait({run})
    assert said == []
    await wished(owner)
    owner.assert_mirrored()


async def test_nor_does_a_hint_that_waits_for_the_albums_of_such_a_run(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner = await world.owner(2)
    theirs, save = set(owner.store.products), world.ledger.save_links

    async def slow_to_end(user: UserId, community: CommunityId, links: Sequence[Link]) -> None:
        if theirs.isdisjoint(link.product for link in links):
            return await save(user, community, links)
        try:
            await asyncio.Event().wait()
        finally:
            for _ in range(100):
                await asyncio.sleep(0)

    monkeypatch.setattr(world.ledger, "save_links", slow_to_end)
    albums = world.sandbox.fault("hold", "market.addAlbum", times=2)
    made, said = when(world, lambda tally: tally.created == 4), said_to_have_no_album(world, monkeypatch)
    mailbox = Mailbox()
    run = asyncio.create_task(owner.run(mailbox=mailbox))
    await world.met(albums)
    owner.stock(2)
    mailbox.put(hint(owner))
    async with asyncio.timeout(20):
        await made.wait()
    run.cancel()
    world.sandbox.faults.clear()
    await asyncio.wait({run})
    assert said == []
