"""What a mirror does now, in one of five states, and how long it will take."""

from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from evosync.db.history import Going, Now
from evosync.domain.connection import Health
from evosync.domain.ids import RunId
from evosync.domain.mirror import Step
from evosync.words.format import Format
from evosync.words.language import Words, marked

SILENT: Final = timedelta(minutes=1)
"""A run that has not been heard of for so long is not shown as going on; another worker will take it up."""

_KNOWN_PACES: Final = 500
_FIRST_LOOK: Final = timedelta(seconds=2)
"""A pace that was measured for less says nothing."""


class SyncState(StrEnum):
    """The states of `GET /sync/status`."""

    IDLE = "idle"
    QUEUED = "queued"
    RUNNING = "running"
    PAUSED = "paused"
    BROKEN = "broken"


def state_of(now: Now, at: datetime) -> SyncState:
    """The first that holds."""
    if any(key is not None and key.health is not Health.OK for key in (now.till, now.shop)):
        return SyncState.BROKEN
    if is_running(now, at):
        return SyncState.RUNNING
    if now.paused_at is not None:
        return SyncState.PAUSED
    if now.till is not None and (now.wanted_at is not None or now.going is not None):
        return SyncState.QUEUED
    return SyncState.IDLE


def is_running(now: Now, at: datetime) -> bool:
    return now.going is not None and at - now.going.heartbeat_at < SILENT


@dataclass(slots=True)
class _Pace:
    since: datetime
    done: int
    is_writing: bool


class Paces:
    """How fast runs write, from what was seen of them."""

    def __init__(self) -> None:
        self._seen: OrderedDict[RunId, _Pace] = OrderedDict()

    def left(self, going: Going) -> timedelta | None:
        """What remains of the run at the pace that it has kept; None while that is not known."""
        pace = self._seen.get(going.id)
        is_writing = going.step is Step.MIRROR
        if pace is None:
            # Whoever comes late counts from the start of the run, though it has not written all the while.
            pace = self._keep(going.id, _Pace(going.started_at, 0, is_writing))
        elif is_writing and not pace.is_writing:
            pace = self._keep(going.id, _Pace(going.heartbeat_at, going.done, is_writing=True))
        took, done = going.heartbeat_at - pace.since, going.done - pace.done
        if not is_writing or going.total <= 0 or done <= 0 or took < _FIRST_LOOK:
            return None
        return took * max(going.total - going.done, 0) / done

    def _keep(self, run: RunId, pace: _Pace) -> _Pace:
        self._seen[run] = pace
        while len(self._seen) > _KNOWN_PACES:
            self._seen.popitem(last=False)
        return pace


def days_left(waiting: int, *, per_day: int) -> timedelta:
    """How long so many new listings take where only so many a day are let in."""
    return timedelta(days=-(-waiting // max(per_day, 1)))


STEPS: Final = {
    Step.CATALOG: (marked("Reading the till"), marked("Till read")),
    Step.SHOP: (marked("Reading the shop"), marked("Shop read")),
    Step.MIRROR: (marked("Writing"), marked("Written")),
}


@dataclass(frozen=True, slots=True)
class StepSeen:
    """`state`: done, current or next."""

    text: str
    state: str


def steps_of(going: Going, words: Words) -> tuple[StepSeen, ...]:
    """The three steps of a run, as far as it is."""
    order = list(STEPS)
    here = order.index(going.step) if going.step is not None else 0
    return tuple(
        StepSeen(words.gettext(STEPS[step][place < here]), _state(place, here)) for place, step in enumerate(order)
    )


def _state(place: int, here: int) -> str:
    if place < here:
        return "done"
    return "current" if place == here else "next"


@dataclass(frozen=True, slots=True)
class Seen:
    """The bar in finished words. `total` 0: not known yet."""

    done: int
    total: int
    text: str
    left: str


def seen_of(now: Now, state: SyncState, paces: Paces, words: Words, form: Format) -> Seen:
    going = now.going
    if state is not SyncState.RUNNING or going is None:
        return Seen(0, 0, words.gettext("In the queue"), words.gettext("starts in a few seconds"))
    if going.step is not Step.MIRROR:
        step = going.step or Step.CATALOG
        text = words.gettext(STEPS[step][0])
        if going.done:
            text = f"{text}: {form.number(going.done)}"
        return Seen(0, 0, text, form.left(paces.left(going)))
    if not going.total:
        return Seen(0, 0, words.gettext("Writing"), "")
    done = min(going.done, going.total)
    text = words.gettext("%(done)s of %(total)s", done=form.number(done), total=form.number(going.total))
    return Seen(done, going.total, text, form.left(paces.left(going)))
