"""Calls that wait for their turn, and the choice of what leaves next. No I/O; the time is handed in.

The aim is few requests with no turn left unused: full batches before single calls, single calls
before a batch that more calls are about to join, and whoever is urgent before both.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from math import inf
from typing import Any, Generic, TypeVar

from evosync.domain.catalog import Item
from evosync.domain.ids import ItemId
from evosync.sync.ports import MayWrite, Priority
from evosync.vk.script import Params, ReadBack, literal

T = TypeVar("T")

SeenItems = Mapping[tuple[int, ItemId], Item]
"""Items read back in the same request, by `owner_id` and id."""

LONGEST_CODE = 150_000
"""Bytes of an execute's code. VK publishes no limit (VK FACTS 5); a full batch of usual items stays far below."""
HEAVY = 40
"""Items that a call's answer may hold before it travels apart from writes: an answer above 5 MB fails the
request with its writes done or not."""

_LINGER = 0.03
"""Seconds in which calls made at the same moment find each other."""
_STALE = 5.0
"""No call waits longer than this behind single calls."""


@dataclass(slots=True, eq=False)
class Call(Generic[T]):
    """One method of VK's API, wanted by somebody who awaits `answer`.

    `read` turns the method's value into the result; it runs as soon as the reply is there, so that raw
    replies never pile up. `alone`: not inside `execute`. `repeatable`: harmless when done twice, so it is
    repeated when its outcome is unknown. `items`: how many items the value may hold at most.
    `good_until`: from then on, by the monotonic clock, it must not leave any more. `may_leave`: asked right before it
    does. `too_fast_since`: when VK first refused it as one too many.
    """

    method: str
    params: Params
    read: Callable[[Any, SeenItems], T]
    priority: Priority
    repeatable: bool = True
    alone: bool = False
    read_back: ReadBack | None = None
    items: int = 0
    good_until: float = inf
    may_leave: MayWrite | None = None
    tries: int = 0
    too_fast_since: float | None = None
    since: float = 0.0
    answer: asyncio.Future[T] = field(init=False)
    _code: str = ""

    @property
    def code(self) -> str:
        """The call as it stands in an execute."""
        if not self._code:
            self._code = f"API.{self.method}({literal(self.params)})"
        return self._code

    @property
    def size(self) -> int:
        """Bytes of `code`."""
        return len(self.code.encode())


AnyCall = Call[Any]


@dataclass(frozen=True, slots=True)
class Room:
    """What one request may hold: `calls` with the read-back counted, `items` in the answer."""

    calls: int
    items: int


class Waiting:
    """The queue of one token."""

    def __init__(self) -> None:
        self._packable: dict[Priority, deque[AnyCall]] = {each: deque() for each in Priority}
        self._single: dict[Priority, deque[AnyCall]] = {each: deque() for each in Priority}

    def __bool__(self) -> bool:
        self._drop_abandoned()
        return any(self._packable.values()) or any(self._single.values())

    def add(self, call: AnyCall) -> None:
        (self._single if call.alone else self._packable)[call.priority].append(call)

    def add_first(self, calls: tuple[AnyCall, ...]) -> None:
        """Calls that were chosen before and did not get done."""
        for call in reversed(calls):
            (self._single if call.alone else self._packable)[call.priority].appendleft(call)

    def take_if(self, wanted: Callable[[AnyCall], bool]) -> list[AnyCall]:
        """Remove and return what is `wanted`."""
        taken = []
        for queue in (*self._packable.values(), *self._single.values()):
            taken += [call for call in queue if wanted(call)]
            kept = [call for call in queue if not wanted(call)]
            queue.clear()
            queue.extend(kept)
        return taken

    def wait(self, now: float, room: Room, *, hold: float) -> float | None:
        """Seconds until something should leave: 0 for now, None while nothing waits.

        A batch of nothing but creates and the like waits `hold` seconds for more of them.
        """
        self._drop_abandoned()
        if any(self._single.values()):
            return 0.0
        batch, is_full = self._pack(room)
        if not batch:
            return None
        if is_full:
            return 0.0
        may_leave = (call.since + (max(hold, _LINGER) if call.priority is Priority.NEW else _LINGER) for call in batch)
        return max(0.0, min(may_leave) - now)

    def choose(self, now: float, room: Room) -> tuple[AnyCall, ...]:
        """Remove and return what leaves now: one single call, or a batch; nothing if all were given up."""
        self._drop_abandoned()
        single = next((queue for queue in self._single.values() if queue), None)
        batch, is_full = self._pack(room)
        if single is not None and not (batch and _goes_before(batch, single[0], now, is_full=is_full)):
            return (single.popleft(),)
        chosen = {id(call) for call in batch}
        for queue in self._packable.values():
            if queue:
                kept = [call for call in queue if id(call) not in chosen]
                queue.clear()
                queue.extend(kept)
        return tuple(batch)

    def _pack(self, room: Room) -> tuple[list[AnyCall], bool]:
        """The best batch at this moment, and whether it is full. Nothing is removed."""
        load = _Load(room)
        for queue in self._packable.values():
            for call in queue:
                if load.opens and call.priority is not Priority.OPENING:
                    return load.batch, False
                if not load.gets_along_with(call):
                    continue
                if load.batch and not load.has_room_for(call):
                    return load.batch, True
                load.take(call)
                if load.calls >= room.calls:
                    return load.batch, True
        return load.batch, False

    def _drop_abandoned(self) -> None:
        """Forget calls whose callers were cancelled."""
        for queue in (*self._packable.values(), *self._single.values()):
            if any(call.answer.done() for call in queue):
                kept = [call for call in queue if not call.answer.done()]
                queue.clear()
                queue.extend(kept)


@dataclass(slots=True)
class _Load:
    """A batch as it fills."""

    room: Room
    batch: list[AnyCall] = field(default_factory=list)
    calls: int = 0
    items: int = 0
    code: int = 0
    writes: bool = False
    heavy: bool = False
    reads_back: bool = False

    @property
    def opens(self) -> bool:
        """Few calls are answered sooner, and everything waits for the answer of these."""
        return bool(self.batch) and self.batch[0].priority is Priority.OPENING

    def gets_along_with(self, call: AnyCall) -> bool:
        """Writes and heavy reads do not share a request."""
        return not (self.heavy and not call.repeatable) and not (self.writes and call.items > HEAVY)

    def has_room_for(self, call: AnyCall) -> bool:
        return (
            self.calls + self._needed(call) <= self.room.calls
            and self.items + call.items <= self.room.items
            and self.code + call.size <= LONGEST_CODE
        )

    def take(self, call: AnyCall) -> None:
        self.calls += self._needed(call)
        self.items += call.items
        self.code += call.size
        self.writes |= not call.repeatable
        self.heavy |= call.items > HEAVY
        self.reads_back |= call.read_back is not None
        self.batch.append(call)

    def _needed(self, call: AnyCall) -> int:
        return 2 if call.read_back is not None and not self.reads_back else 1


def _goes_before(batch: list[AnyCall], single: AnyCall, now: float, *, is_full: bool) -> bool:
    first = batch[0]
    if first.priority <= Priority.PRICE or single.priority <= Priority.PRICE:
        return first.priority <= single.priority
    return is_full or now - min(call.since for call in batch) > _STALE
