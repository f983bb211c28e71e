"""Pushing changes of items that stand in VK already."""

import asyncio
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice

from evosync.domain.action import EditItem, HideDouble, Why
from evosync.domain.catalog import Item
from evosync.domain.differences import as_read, doubted, is_first_doubt
from evosync.domain.draft import refusal_status
from evosync.domain.errors import CloudError, GuardTripped, NotFound, Refused, Side, Unknown
from evosync.domain.guard import price_is_off
from evosync.domain.ids import ProductId
from evosync.domain.links import Link, Written
from evosync.domain.mirror import ProductResult, Result
from evosync.domain.status import Standing, Status
from evosync.domain.texts import shorten
from evosync.sync.ports import Priority
from evosync.sync.work import CHUNK, Work

METHOD = "market.edit"
_WORKERS = 4
_FIRST = 8
"""The first edits go alone, so that a shop that reads prices wrongly is stopped before more is written."""

SHORTER_NAME = 80
"""VK's own counting of a name is not published; a name refused as too long is tried once at this length."""

_FIELD_WORDS = {
    "stock_amount": "stock",
    "main_photo_id": "photo",
    "photo_ids": "photo",
    "category_id": "category",
}


def refusal_of(error: CloudError) -> str:
    """As a link keeps it: the code, then the field in the owner's words, if VK named one."""
    named = error.field if isinstance(error, Refused) else ""
    return f"{error.code} {_FIELD_WORDS.get(named, named)}"


class Editor:
    """Sends edits, most urgent first, and records each chunk."""

    def __init__(
        self,
        work: Work,
        edits: Iterable[EditItem],
        after: Mapping[ProductId, Status],
        *,
        priority: Priority = Priority.PRICE,
    ) -> None:
        self._work = work
        self._after = after
        self._priority = priority
        self._waiting: dict[ProductId, EditItem] = {edit.product: edit for edit in edits}
        self._sending: dict[ProductId, asyncio.Event] = {}

    async def run(self) -> None:
        if await self._chunk(_FIRST):
            async with asyncio.TaskGroup() as group:
                for _ in range(_WORKERS):
                    group.create_task(self._drain())
        pause = self._work.paused(METHOD)
        if self._waiting and pause is not None:
            self._work.waits_for = pause.code
            statuses = dict.fromkeys(self._waiting, waiting_for_vk(pause.code, pause.until.isoformat()))
            self._work.count_left(statuses)
            await self._work.record((), statuses, ())

    async def give_up(self, products: Iterable[ProductId]) -> None:
        """A newer plan speaks for these products: forget their edits, and wait for those on the way."""
        for product in products:
            self._waiting.pop(product, None)
            sending = self._sending.get(product)
            if sending is not None:
                await sending.wait()

    async def _drain(self) -> None:
        while await self._chunk(CHUNK):
            pass

    async def _chunk(self, size: int) -> bool:
        work = self._work
        if work.stopping or work.paused(METHOD) is not None:
            return False
        chunk = [self._waiting.pop(product) for product in list(islice(self._waiting, size))]
        if not chunk:
            return False
        gone = asyncio.Event()
        self._sending |= {edit.product: gone for edit in chunk}
        try:
            outcomes = await asyncio.gather(*(self._send(edit) for edit in chunk))
            outcomes = await self._seen(outcomes)
            await _Chunk(work, self._after).record(zip(chunk, outcomes, strict=True))
        finally:
            for edit in chunk:
                del self._sending[edit.product]
            gone.set()
        work.advance(len(chunk))
        return True

    async def _seen(self, outcomes: "list[Outcome]") -> "list[Outcome]":
        """Where VK gave no read-back of a price within the call, ask for it: no price goes unlooked at."""
        unseen = [
            outcome[0].item
            for outcome in outcomes
            if isinstance(outcome, tuple) and outcome[1] is None and outcome[0].kopecks is not None
        ]
        if not unseen:
            return outcomes
        try:
            seen = await self._work.shop.items(unseen, priority=self._priority)
        except CloudError:
            return outcomes
        return [
            (outcome[0], outcome[1] or seen.get(outcome[0].item)) if isinstance(outcome, tuple) else outcome
            for outcome in outcomes
        ]

    async def _send(self, edit: EditItem) -> "Outcome":
        """Send; where VK refuses a text, send what can be sent, so that price and stock still go through."""
        self._work.tried += 1
        outcome = await self._try(edit)
        if not isinstance(outcome, Refused):
            return outcome
        link = replace(edit.link, refused=edit.source, refusal=refusal_of(outcome))
        for smaller in _smaller(edit, outcome.field):
            second = await self._try(replace(smaller, link=link))
            if not isinstance(second, Refused):
                return second
        return outcome

    async def _try(self, edit: EditItem) -> "Outcome":
        try:
            return edit, await self._work.shop.edit_item(edit, priority=self._priority)
        except CloudError as error:
            return error


Outcome = tuple[EditItem, Item | None] | CloudError
"""The edit as it went through with the item as read back, or what kept it from it."""


def _smaller(edit: EditItem, refused: str) -> Iterator[EditItem]:
    """The edit with a shorter name, then without the refused text, if anything is left of it."""
    if refused == "name" and edit.name is not None:
        yield replace(edit, name=shorten(edit.name, SHORTER_NAME))
        rest = replace(edit, name=None)
    elif refused == "description" and edit.description is not None:
        rest = replace(edit, description=None)
    else:
        return
    if rest.changes or rest.why is Why.SHOWN_AGAIN:
        yield rest


class _Chunk:
    """Turns the outcomes of one chunk into what is to be remembered."""

    def __init__(self, work: Work, after: Mapping[ProductId, Status]) -> None:
        self._work = work
        self._after = after
        self._links: list[Link] = []
        self._statuses: dict[ProductId, Status] = {}
        self._results: list[ProductResult] = []

    async def record(self, outcomes: Iterable[tuple[EditItem, Outcome]]) -> None:
        for edit, outcome in outcomes:
            if isinstance(outcome, CloudError):
                self._failed(edit, outcome)
            else:
                self._done(*outcome)
        await self._work.record(self._links, self._statuses, self._results)

    def _done(self, edit: EditItem, seen: Item | None) -> None:
        work = self._work
        read = seen.kopecks if seen is not None else None
        if edit.kopecks is not None and read is not None and price_is_off(edit.kopecks, read):
            work.fail(GuardTripped(Side.VK, "prices", wanted=edit.kopecks, got=read))
        self._links.append(written_link(edit, seen))
        status = self._after.get(edit.product, Status(Standing.IN_STEP))
        doubts = doubted(edit, seen) if seen is not None else ()
        if doubts:
            status = Status(Standing.WAIT_CHECK)
            # A number that is never read back twice the same waits for the routine readings.
            work.unsure |= any(is_first_doubt(edit, name) for name in doubts)
        if edit.link.refused and edit.link.refused == edit.source:
            status = refusal_status(edit.link.refusal)
        self._statuses[edit.product] = status
        result = _result(edit)
        match result:
            case Result.HIDDEN:
                work.tally.hidden += 1
            case Result.SHOWN:
                work.tally.shown += 1
            case _:
                work.tally.updated += 1
        if edit.by_hand:
            work.tally.hand_edits += 1
        self._results.append(ProductResult(edit.product, result, why=edit.why.value, fields=changed_fields(edit)))

    def _failed(self, edit: EditItem, error: CloudError) -> None:
        work = self._work
        if isinstance(error, Unknown | NotFound):
            work.unsure = True
            self._statuses[edit.product] = Status(Standing.WAIT_CHECK)
        elif work.take_error(error, METHOD):
            pause = work.paused(METHOD)
            if pause is not None:
                self._statuses[edit.product] = waiting_for_vk(pause.code, pause.until.isoformat())
                work.count_left({edit.product: self._statuses[edit.product]})
        else:
            work.count_failure(error.code)
            refusal = refusal_of(error)
            self._statuses[edit.product] = refusal_status(refusal)
            self._links.append(replace(edit.link, refused=edit.source, refusal=refusal))
            self._results.append(
                ProductResult(
                    edit.product, Result.FAILED, why=edit.why.value, code=error.code, fields=changed_fields(edit)
                )
            )


def waiting_for_vk(code: str, until: str) -> Status:
    """VK has stopped us for a while; `until` is ISO time."""
    return Status(Standing.WAIT_VK, {"code": code, "until": until})


def _result(edit: EditItem) -> Result:
    if edit.why is Why.SHOWN_AGAIN:
        return Result.SHOWN
    if edit.hide_by_us or (edit.why is Why.NOT_SELLABLE and edit.stock == 0):
        return Result.HIDDEN
    return Result.UPDATED


def written_link(edit: EditItem, seen: Item | None) -> Link:
    """The link after the edit went through. Without a read-back VK's view is unknown until the next reading.

    Of the read-back only those fields are VK's form of ours that were sent. Another one that differs from what the plan
    read was changed by hand in between: the next reading must find it so. Nor is a number that is in doubt.
    """
    before = edit.link.written or Written()
    read = as_read(edit.before)
    sent = _sent(edit)
    if seen is None:
        read, face = replace(read, **dict.fromkeys(sent), availability=None), b""
    else:
        unsent = {name: getattr(read, name) for name in _FIELDS if name not in sent}
        now = as_read(seen)
        read = replace(now, **unsent, **dict.fromkeys(doubted(edit, seen)))
        face = seen.face if read == now else b""
    written = Written(
        name=edit.name if edit.name is not None else before.name,
        description=edit.description if edit.description is not None else before.description,
        kopecks=edit.kopecks if edit.kopecks is not None else before.kopecks,
        stock=edit.stock if edit.stock is not None else before.stock,
        hidden=edit.hidden,
        per_grams=edit.per_grams,
    )
    return replace(
        edit.link,
        written=written,
        read_back=read,
        face=face,
        source=edit.source,
        hidden_by_us=edit.hide_by_us,
        refused=edit.link.refused if edit.link.refused == edit.source else b"",
        refusal=edit.link.refusal if edit.link.refused == edit.source else "",
    )


_FIELDS = ("title", "description", "kopecks", "stock")
"""Of a read-back, what an edit may send."""


def _sent(edit: EditItem) -> frozenset[str]:
    sent = (edit.name, edit.description, edit.kopecks, edit.stock)
    return frozenset(name for name, value in zip(_FIELDS, sent, strict=True) if value is not None)


def changed_fields(edit: EditItem) -> Mapping[str, tuple[str, str]]:
    """Field → (as VK showed it, as sent), for the receipt and the preview; prices in kopecks."""
    before = edit.before
    pairs: Sequence[tuple[str, object, object]] = (
        ("name", before.title, edit.name),
        ("description", before.description, edit.description),
        ("price", before.kopecks, edit.kopecks),
        ("stock", before.stock, edit.stock),
    )
    return {name: ("" if old is None else str(old), str(new)) for name, old, new in pairs if new is not None}


async def hide_doubles(work: Work, doubles: Iterable[HideDouble]) -> None:
    """Second items of one product are hidden, never deleted: the owner may want one back."""
    for double in doubles:
        if work.stopping or work.paused(METHOD) is not None:
            return
        work.tried += 1
        try:
            await work.shop.hide_item(double.item.id)
        except Unknown:
            work.unsure = True
        except NotFound:
            pass
        except CloudError as error:
            if not work.take_error(error, METHOD):
                work.count_failure(error.code)
        else:
            work.tally.hidden += 1
            await work.record(
                (), {}, [ProductResult(double.product, Result.HIDDEN, why=Why.DOUBLE.value, code=str(double.item.id))]
            )
        work.advance()
