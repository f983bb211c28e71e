"""Pushing items that are not in VK yet, so that no crash and no lost reply ever makes one twice.

For each chunk: photos first, then the intents are stored, then the creates are sent, then their links
are stored. Whatever breaks in between, the next reading finds the item by its marker, or finds none. A run
that another has overtaken stores no intents, and so creates nothing.
"""

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import replace
from itertools import islice

from evosync.domain.action import AddItem, AlbumKey, Note, Why
from evosync.domain.catalog import Item
from evosync.domain.differences import as_read, unlike
from evosync.domain.draft import refusal_status
from evosync.domain.errors import (
    CloudError,
    Full,
    GuardTripped,
    NotFound,
    Operators,
    Overtaken,
    Refused,
    Side,
    Unavailable,
    Unknown,
)
from evosync.domain.guard import price_is_off
from evosync.domain.ids import ItemId, PhotoId, ProductId
from evosync.domain.links import Link, LinkState, ReadBack, Written
from evosync.domain.mirror import ProductResult, Result
from evosync.domain.status import Standing, Status
from evosync.domain.texts import shorten, vk_description
from evosync.sync.editing import SHORTER_NAME, refusal_of, waiting_for_vk
from evosync.sync.photos import PhotoSupply
from evosync.sync.placing import Placer
from evosync.sync.ports import Added, Priority
from evosync.sync.work import CHUNK, Work

METHOD = "market.add"
_WORKERS = 6
_FIRST = 9
"""The first creates go alone: a shop that reads prices wrongly is stopped with these few."""

Outcome = tuple[AddItem, Added] | CloudError


class Creator:
    """Creates items in the plan's order."""

    def __init__(
        self,
        work: Work,
        adds: Iterable[AddItem],
        after: Mapping[ProductId, Status],
        placer: Placer,
        picture: bytes,
        *,
        photo_source: str,
        priority: Priority = Priority.NEW,
    ) -> None:
        self._work = work
        self._after = after
        self._placer = placer
        self._picture = picture
        self._photo_source = photo_source
        self._priority = priority
        self._waiting: dict[ProductId, AddItem] = {add.product: add for add in adds}
        self._sending: dict[ProductId, asyncio.Event] = {}
        self._softened: dict[ProductId, str] = {}
        """What VK refused of items that were then made with another text, as a link keeps it."""
        self._unsure = 0
        self._full = False
        self._collecting = asyncio.Lock()

    async def run(self) -> None:
        if not self._waiting or self._work.paused(METHOD) is not None:
            await self._leave()
            return
        async with PhotoSupply(self._work.shop, self._picture, len(self._waiting)) as photos:
            if await self._chunk(_FIRST, photos):
                async with asyncio.TaskGroup() as group:
                    for _ in range(_WORKERS):
                        group.create_task(self._drain(photos))
            self._work.tally.photos += photos.made
        await self._leave()

    @property
    def to_come(self) -> int:
        """Creates not recorded yet, those among them that may have been done for all that VK told."""
        return len(self._waiting) + len(self._sending) + self._unsure

    async def give_up(self, products: Iterable[ProductId]) -> None:
        """A newer plan speaks for these products: forget their creates, and wait for those on the way."""
        for product in products:
            self._waiting.pop(product, None)
            sending = self._sending.get(product)
            if sending is not None:
                await sending.wait()

    async def _leave(self) -> None:
        """Say of what is left why it is not there yet."""
        if not self._waiting:
            return
        pause = self._work.paused(METHOD)
        if self._full:
            status = Status(Standing.SHOP_FULL)
        elif pause is not None:
            self._work.waits_for = pause.code
            status = waiting_for_vk(pause.code, pause.until.isoformat())
        else:
            return
        statuses = dict.fromkeys(self._waiting, status)
        self._work.count_left(statuses)
        await self._work.record((), statuses, ())

    async def _drain(self, photos: PhotoSupply) -> None:
        while await self._chunk(CHUNK, photos):
            pass

    def _may_go_on(self) -> bool:
        return not self._work.stopping and not self._full and self._work.paused(METHOD) is None

    async def _chunk(self, size: int, photos: PhotoSupply) -> bool:
        work = self._work
        async with self._collecting:
            chunk, ready = await self._collect(size, photos)
        if not chunk:
            return False
        gone = asyncio.Event()
        self._sending |= {add.product: gone for add in chunk}
        good_until = asyncio.get_running_loop().time() + work.send_within.total_seconds()
        try:
            intents = [self._intent(add) for add in chunk]
            if not await work.ledger.intend(work.user, work.community, work.run, intents):
                work.stop()
                return False
            sent = zip(chunk, ready, strict=False)
            outcomes = await asyncio.gather(*(self._send(add, photo, good_until) for add, photo in sent))
            await self._record(chunk, outcomes)
        finally:
            for add in chunk:
                del self._sending[add.product]
            gone.set()
        work.advance(len(chunk))
        return True

    async def _collect(self, size: int, photos: PhotoSupply) -> tuple[list[AddItem], list[PhotoId]]:
        """The next adds with a photo each; none where adds must stop."""
        ready: list[PhotoId] = []
        try:
            while self._may_go_on() and len(ready) < min(size, len(self._waiting)):
                ready.append(await photos.take())
        except CloudError as error:
            self._stop_adds(error)
        if not self._may_go_on():
            return [], []
        chunk = [self._waiting.pop(product) for product in list(islice(self._waiting, len(ready)))]
        return chunk, ready

    def _stop_adds(self, error: CloudError) -> None:
        """No photo can be had, so no item can be made."""
        if isinstance(error, Unknown):
            error = Unavailable(Side.VK, error.code, error.detail)
        elif isinstance(error, Refused | NotFound):
            error = Operators(Side.VK, error.code, "the default picture was not taken")
        if not self._work.take_error(error, METHOD):
            self._work.fail(error)

    def _intent(self, add: AddItem) -> Link:
        return Link(
            product=add.product,
            marker=add.marker,
            state=LinkState.INTENT,
            source=add.source,
            written=written_by(add),
            read_back=ReadBack(),
            photo_source=self._photo_source,
            intent_at=self._work.clock(),
        )

    async def _send(self, add: AddItem, photo: PhotoId, good_until: float) -> Outcome:
        self._work.tried += 1
        outcome = await self._try(add, photo, good_until)
        if isinstance(outcome, Refused):
            softer = _softer(add, outcome.field)
            if softer is not None:
                self._softened[add.product] = refusal_of(outcome)
                return await self._try(softer, photo, good_until)
        return outcome

    async def _try(self, add: AddItem, photo: PhotoId, good_until: float) -> Outcome:
        try:
            return add, await self._work.shop.add_item(add, photo, good_until=good_until, priority=self._priority)
        except CloudError as error:
            return error

    async def _record(self, chunk: list[AddItem], outcomes: list[Outcome]) -> None:
        work = self._work
        links: list[Link] = []
        statuses: dict[ProductId, Status] = {}
        results: list[ProductResult] = []
        made: dict[AlbumKey, list[tuple[ProductId, ItemId]]] = defaultdict(list)
        never_sent: list[ProductId] = []
        unseen = [outcome[1].item for outcome in outcomes if isinstance(outcome, tuple) and outcome[1].seen is None]
        seen = await self._read(unseen)
        for add, outcome in zip(chunk, outcomes, strict=True):
            if isinstance(outcome, CloudError):
                link = self._failed(add, outcome, statuses, results, never_sent)
                if link is not None:
                    links.append(link)
                continue
            sent, added = outcome
            item = added.seen or seen.get(added.item)
            self._guard(sent, item)
            link = self._link(add, sent, added.item, item)
            links.append(link)
            after = self._after.get(add.product, Status(Standing.IN_STEP))
            if item is not None and unlike(sent, item):
                work.unsure = True
                after = Status(Standing.WAIT_CHECK)
            statuses[add.product] = refusal_status(link.refusal) if link.refusal else after
            results.append(ProductResult(add.product, Result.CREATED, why=Why.NEW.value, fields=created_fields(sent)))
            work.tally.created += 1
            if add.album is not None:
                made[add.album].append((add.product, added.item))
        await work.record(links, statuses, results)
        if never_sent:
            await work.ledger.drop_links(work.user, work.community, work.run, never_sent)
        for album, items in made.items():
            await self._placer.put(album, items)

    async def _read(self, items: list[ItemId]) -> Mapping[ItemId, Item]:
        """Where VK gave no read-back within the call, ask for it, so that the price is checked."""
        if not items:
            return {}
        try:
            return await self._work.shop.items(items, priority=self._priority)
        except CloudError:
            return {}

    def _guard(self, add: AddItem, item: Item | None) -> None:
        if item is not None and item.kopecks is not None and price_is_off(add.kopecks, item.kopecks):
            self._work.fail(GuardTripped(Side.VK, "prices", wanted=add.kopecks, got=item.kopecks))

    def _link(self, add: AddItem, sent: AddItem, item: ItemId, seen: Item | None) -> Link:
        refusal = self._softened.get(add.product, "") if sent is not add else ""
        doubts = unlike(sent, seen) if seen is not None else ()
        return Link(
            product=add.product,
            marker=add.marker,
            state=LinkState.LIVE,
            item=item,
            source=add.source,
            face=seen.face if seen is not None and not doubts else b"",
            written=written_by(sent),
            read_back=replace(as_read(seen), **dict.fromkeys(doubts)) if seen is not None else ReadBack(),
            photo_source=self._photo_source,
            refused=add.source if refusal else b"",
            refusal=refusal,
            created_at=self._work.clock(),
        )

    def _failed(
        self,
        add: AddItem,
        error: CloudError,
        statuses: dict[ProductId, Status],
        results: list[ProductResult],
        never_sent: list[ProductId],
    ) -> Link | None:
        """Only a clear refusal ends an intent; where the outcome is unknown it stays, to be looked for."""
        work = self._work
        if isinstance(error, Unknown):
            work.unsure = True
            self._unsure += 1
            statuses[add.product] = Status(Standing.WAIT_CHECK)
            return None
        if isinstance(error, Overtaken):
            work.take_error(error, METHOD)
            return None  # the intent is the newer run's to look at
        never_sent.append(add.product)
        if isinstance(error, Full):
            self._full = True
            work.note(Note.SHOP_FULL, error.code)
            statuses[add.product] = Status(Standing.SHOP_FULL)
            work.count_left({add.product: statuses[add.product]})
        elif work.take_error(error, METHOD):
            pause = work.paused(METHOD)
            if pause is not None:
                statuses[add.product] = waiting_for_vk(pause.code, pause.until.isoformat())
                work.count_left({add.product: statuses[add.product]})
        else:
            never_sent.pop()
            work.count_failure(error.code)
            refusal = refusal_of(error)
            statuses[add.product] = refusal_status(refusal)
            results.append(ProductResult(add.product, Result.FAILED, why=Why.NEW.value, code=error.code))
            return replace(self._intent(add), state=LinkState.REFUSED, refused=add.source, refusal=refusal)
        return None


def _softer(add: AddItem, refused: str) -> AddItem | None:
    """The same item with a text that VK may take; None if it is not about a text (VK FACTS 4, 1421 and 1408)."""
    if refused == "name":
        return replace(add, name=shorten(add.name, SHORTER_NAME))
    if refused == "description":
        return replace(add, description=vk_description("", name=add.name, grams=add.per_grams)[0])
    return None


def written_by(add: AddItem) -> Written:
    return Written(
        name=add.name,
        description=add.description,
        kopecks=add.kopecks,
        stock=add.stock,
        hidden=False,
        per_grams=add.per_grams,
    )


def created_fields(add: AddItem) -> Mapping[str, tuple[str, str]]:
    """As for an edit, with nothing before."""
    return {
        "name": ("", add.name),
        "description": ("", add.description),
        "price": ("", str(add.kopecks)),
        "stock": ("", str(add.stock)),
    }
