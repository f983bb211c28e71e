"""When something is to be done next; time comes in as an argument."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import blake2b

from evosync.domain.ids import StoreId, UserId
from evosync.domain.mirror import AHEAD, Pause, Scope, StoreReading, StoreState

CAPTCHA = "VK 14"

_MANY = 50
"""More single products than these are read as a whole listing."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Rhythm:
    """How often a till is read: `full` everything, `delta` only changes, `twin` a suspicious listing again.

    No product hook is promised for edits (Evotor FACTS 4.6), so deltas are frequent.
    """

    full: timedelta = timedelta(hours=1)
    delta: timedelta = timedelta(minutes=5)
    twin: timedelta = timedelta(minutes=5)

    @property
    def step(self) -> timedelta:
        """The distance of two ordinary runs."""
        return min(self.full, self.delta)


def spread(user: UserId, interval: timedelta) -> timedelta:
    """A user's own place within the interval: always the same, evenly spread over all users."""
    place = int.from_bytes(blake2b(str(user).encode(), digest_size=4).digest()) / 2**32
    return interval * place


def next_slot(user: UserId, *, now: datetime, interval: timedelta) -> datetime:
    """The user's next turn: his turns are an interval apart, at his own place within it.

    At least half an interval away, so that a run that somebody asked for is not followed by
    a routine one at once.
    """
    first = _EPOCH + spread(user, interval)
    turns = -((first - now - interval / 2) // interval)
    return first + turns * interval


def backoff(
    failures: int,
    *,
    first: timedelta = timedelta(seconds=30),
    longest: timedelta = timedelta(minutes=30),
) -> timedelta:
    """The wait after so many failures in a row: doubled each time."""
    if failures <= 0:
        return timedelta()
    return min(first * _doublings(failures - 1), longest)


def _doublings(times: int) -> int:
    return 1 << min(times, 30)


def next_at(
    user: UserId,
    *,
    now: datetime,
    rhythm: Rhythm,
    failures: int = 0,
    wakes: Iterable[datetime] = (),
) -> datetime:
    """When the user's mirror runs next without being asked.

    `wakes` are moments at which something that waits can go on (see `wakes`): a future one that
    comes before the ordinary turn is the next run. After a failure only the back-off counts,
    spread a little, so that users who failed together do not come back together.
    """
    if failures > 0:
        rest = backoff(failures)
        return now + rest + spread(user, rest / 4)
    turn = next_slot(user, now=now, interval=rhythm.step)
    return min([turn, *(wake for wake in wakes if wake > now)])


def wakes(
    readings: Mapping[StoreId, StoreReading], pauses: Mapping[str, Pause], *, rhythm: Rhythm
) -> tuple[datetime, ...]:
    """When what waits can go on: pauses that end, stores asked again, suspicious listings read again."""
    return (
        *(pause.until for pause in pauses.values()),
        *(reading.retry_at for reading in readings.values() if reading.retry_at is not None),
        *(
            reading.held_at + rhythm.twin
            for reading in readings.values()
            if reading.state is StoreState.HELD and reading.held_at is not None
        ),
    )


def reading_due(reading: StoreReading | None, *, now: datetime, rhythm: Rhythm) -> Scope | None:
    """What a routine run should read of a store: all, the changes, or nothing yet.

    A full pass that would fall due before the next run is done in this one. A store that failed is asked for its
    changes first: to list it whole is to list all others and VK's shop as well.
    """
    if reading is None:
        return Scope.FULL
    if reading.retry_at is not None and now < reading.retry_at:
        return None
    if (
        reading.full_at is None
        or _is_ahead(reading, now)
        or _whole_due(reading, reading.full_at, now=now, rhythm=rhythm)
    ):
        return Scope.FULL
    if reading.state is StoreState.FAILED or reading.missed:
        return Scope.DELTA
    last = max(reading.full_at, reading.delta_at or reading.full_at)
    return Scope.DELTA if now >= last + rhythm.delta / 2 else None


def _is_ahead(reading: StoreReading, now: datetime) -> bool:
    """The clock was set back since: what changed after that moment is not asked for before it has come again."""
    return any(at is not None and at > now + AHEAD for at in (reading.full_at, reading.delta_at))


def _whole_due(reading: StoreReading, full_at: datetime, *, now: datetime, rhythm: Rhythm) -> bool:
    if reading.state is StoreState.HELD and reading.held_at is not None and now >= reading.held_at + rhythm.twin:
        return True
    if reading.state is StoreState.UNPAID or len(reading.missed) > _MANY:
        return True
    return now >= full_at + rhythm.full - rhythm.step / 2


def next_pause(
    former: Pause | None,
    code: str,
    *,
    now: datetime,
    first: timedelta = timedelta(minutes=10),
    longest: timedelta = timedelta(hours=6),
) -> Pause:
    """VK stopped a method. A stop that follows the `former` one closely waits twice as long.

    14 wants a person: it is asked about once an hour, since asking more often only prolongs it.
    A pause that is long over counts no more.
    """
    step = former.step + 1 if former is not None and now < former.until + longest else 0
    rest = timedelta(hours=1) if code == CAPTCHA else min(first * _doublings(step), longest)
    return Pause(until=now + rest, code=code, step=step)
