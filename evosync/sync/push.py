"""Doing a plan: edits, albums, creates and places, each recorded as it succeeds."""

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from evosync.domain.action import (
    AddAlbum,
    AddItem,
    EditItem,
    HideDouble,
    KeepLink,
    PlaceItems,
    Plan,
    RenameAlbum,
    TieAlbum,
    Unplace,
    Why,
)
from evosync.domain.ids import ItemId, ProductId
from evosync.domain.links import Link, LinkState
from evosync.domain.mirror import ProductResult, Result
from evosync.domain.status import Status
from evosync.sync.creating import Creator
from evosync.sync.editing import Editor, hide_doubles, waiting_for_vk
from evosync.sync.placing import Placer
from evosync.sync.ports import Placed, Priority
from evosync.sync.work import Work

_KEEP_ROWS = 500

DAY = "day"
"""In place of VK's code, where the operator's own daily limit of creates is what a product waits for."""


@dataclass(frozen=True, slots=True)
class Picture:
    """The default photo, and what it is known by: that is kept with each item, whose picture no edit sends again."""

    data: bytes
    source: str


@dataclass(frozen=True, slots=True)
class Allowance:
    """How many items may still be created; `until`: from when on more may be."""

    adds: int
    until: datetime


class Push:
    """One plan being done. `allowance`: None for any number of creates.

    `beside`: the push of the whole shop, for a hint's that is done in between.
    """

    def __init__(
        self,
        work: Work,
        plan: Plan,
        links: Mapping[ProductId, Link],
        picture: Picture,
        *,
        allowance: Allowance | None = None,
        urgent: bool = False,
        beside: "Push | None" = None,
    ) -> None:
        self._work = work
        self._plan = plan
        self._keeps = [action for action in plan.actions if isinstance(action, KeepLink)]
        self._doubles = [action for action in plan.actions if isinstance(action, HideDouble)]
        self._albums = [action for action in plan.actions if isinstance(action, AddAlbum | TieAlbum | RenameAlbum)]
        self._places = [action for action in plan.actions if isinstance(action, PlaceItems)]
        self._moves = [action for action in plan.actions if isinstance(action, Unplace)]
        adds = [action for action in plan.actions if isinstance(action, AddItem)]
        self._beyond: dict[ProductId, Status] = {}
        if allowance is not None:
            status = waiting_for_vk(DAY, allowance.until.isoformat())
            self._beyond = {add.product: status for add in adds[allowance.adds :]}
            adds = adds[: allowance.adds]
        edits = [action for action in plan.actions if isinstance(action, EditItem)]
        self._items = _items(links, self._keeps)
        self._learnt = {
            keep.link.product: Placed(keep.link.product, keep.link.album)
            for keep in self._keeps
            if keep.link.product in links and keep.link.album != links[keep.link.product].album
        }
        self.placer: Placer = Placer(
            work,
            plan.albums,
            [album for album in self._albums if isinstance(album, AddAlbum)],
            moves=self._moves,
            beside=beside.placer if beside is not None else None,
        )
        self._editor = Editor(work, edits, plan.after, priority=Priority.HINT if urgent else Priority.PRICE)
        self._creator = Creator(
            work,
            adds,
            plan.after,
            self.placer,
            picture.data,
            photo_source=picture.source,
            priority=Priority.HINT if urgent else Priority.NEW,
        )
        work.total += len(edits) + len(adds) + len(self._doubles) + len(self._moves)
        work.total += sum(1 for album in self._albums if not isinstance(album, TieAlbum))

    async def run(self) -> None:
        """Do it all, or as much as VK lets; errors are left in the `Work`, nothing is raised for them."""
        await self._keep()
        if self._beyond:
            self._work.count_left(self._beyond)
            await self._work.record((), self._beyond, ())
        async with self.placer.filling as group:
            group.create_task(self._write())
        await self.placer.take_out()

    @property
    def adds_to_come(self) -> int:
        """Creates that were not recorded yet."""
        return self._creator.to_come

    async def give_up(self, products: Iterable[ProductId]) -> None:
        """A newer plan speaks for these products; waits for what is on its way for them."""
        products = tuple(products)
        await self._editor.give_up(products)
        await self._creator.give_up(products)

    async def _keep(self) -> None:
        links = [keep.link for keep in self._keeps]
        work = self._work
        for start in range(0, len(links), _KEEP_ROWS):
            rows = links[start : start + _KEEP_ROWS]
            if not await work.ledger.keep_links(work.user, work.community, work.run, rows):
                work.stop()
                return
            learnt = [self._learnt[link.product] for link in rows if link.product in self._learnt]
            await work.ledger.save_placed(work.user, work.community, learnt)
        adopted = [keep.link.product for keep in self._keeps if keep.adopted]
        self._work.tally.adopted += len(adopted)
        results = [ProductResult(product, Result.ADOPTED, why=Why.NEW.value) for product in adopted]
        if results:
            await self._work.ledger.save_results(self._work.run, results)

    async def _write(self) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self._edit())
            group.create_task(self._create())
        await self.placer.finish(self._places, self._items)

    async def _edit(self) -> None:
        await self._editor.run()
        await hide_doubles(self._work, self._doubles)

    async def _create(self) -> None:
        """Albums and photos are made side by side; an item waits for its album when it is put into it."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self.placer.prepare(self._albums))
            group.create_task(self._creator.run())


def _items(links: Mapping[ProductId, Link], keeps: Iterable[KeepLink]) -> dict[ProductId, ItemId]:
    items = {product: link.item for product, link in links.items() if link.item is not None}
    for keep in keeps:
        if keep.link.item is not None and keep.link.state is LinkState.LIVE:
            items[keep.link.product] = keep.link.item
    return items
