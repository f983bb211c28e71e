"""One cause, one message: when a cloud fails for many owners at once, all rest and the operator is told once."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from evosync.domain.errors import CloudError, Operators, Rejected, Side, Unavailable
from evosync.domain.ids import UserId

SHARED_CAUSES = (Unavailable, Operators, Rejected)
"""What can hit many owners for one cause; anything else is an owner's own affair and shows a cloud that works."""


class Turn(StrEnum):
    """`OPENED`: everybody rests. `CLOSED`: the cloud answers again."""

    OPENED = "opened"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class Trip:
    """What the operator is told. `owners`: how many failed within the window, with these `codes`.

    `since`: the first of the failures; connections marked broken after it were not the owners' fault.
    """

    side: Side
    turn: Turn
    cause: str
    codes: frozenset[str]
    owners: int
    since: datetime
    at: datetime


@dataclass(frozen=True, slots=True)
class _Seen:
    at: datetime
    cause: type[CloudError] | None
    code: str


@dataclass(slots=True)
class _Open:
    trip: Trip
    until: datetime
    rest: timedelta
    probes: set[UserId] = field(default_factory=set)


@dataclass(slots=True)
class Breaker:
    """Fed with the end of every run, asked before each. Keeps one outcome per owner, the last.

    Opens when at least `owners` owners, and at least `share` of those seen within `window`, failed
    last for the same cause. Then all rest for `rest`; afterwards one owner tries: if that works it
    closes, else all rest twice as long, at most `longest_rest`. `tell` is called once when it
    opens and once when it closes. With fewer owners than `owners` it never opens.
    """

    side: Side
    tell: Callable[[Trip], None]
    window: timedelta = timedelta(minutes=5)
    owners: int = 3
    share: float = 0.5
    rest: timedelta = timedelta(minutes=2)
    longest_rest: timedelta = timedelta(minutes=30)
    _seen: dict[UserId, _Seen] = field(default_factory=dict)
    _open: _Open | None = None

    @property
    def resting_until(self) -> datetime | None:
        """None while closed; a past moment while an owner's try is awaited."""
        return None if self._open is None else self._open.until

    def hold(self, user: UserId, now: datetime) -> datetime | None:
        """None: go ahead. Else the moment before which the user shall not be run.

        The first to ask after the rest is the one who tries; should nothing be heard of him for
        another rest, somebody else may.
        """
        if self._open is None:
            return None
        if self._open.until - now > self.longest_rest:  # the clock was set back: no rest is so long
            self._open.until = now
        if now < self._open.until:
            return self._open.until
        if user in self._open.probes:
            return None
        if not self._open.probes or now >= self._open.until + self._open.rest:
            self._open.probes.add(user)
            self._open.until = now
            return None
        return self._open.until + self._open.rest

    def ended(self, user: UserId, error: CloudError | None, now: datetime) -> None:
        """A run is over, or has come so far that the cloud is known to work: None, this cloud served it."""
        cause = next((kind for kind in SHARED_CAUSES if isinstance(error, kind)), None)
        self._seen[user] = _Seen(now, cause, "" if error is None else error.code)
        if self._open is None:
            self._judge(cause, now)
        elif user in self._open.probes:
            self._tried(self._open, cause, now)

    def passed_over(self, user: UserId) -> None:
        """His run is over and tells nothing of the cloud. If he was to try, somebody else may, after no longer rest."""
        if self._open is not None:
            self._open.probes.discard(user)

    def _judge(self, cause: type[CloudError] | None, now: datetime) -> None:
        if cause is None:
            return
        self._seen = {user: seen for user, seen in self._seen.items() if now - seen.at <= self.window}
        alike = [seen for seen in self._seen.values() if seen.cause is cause]
        if len(alike) < self.owners or len(alike) < self.share * len(self._seen):
            return
        trip = Trip(
            side=self.side,
            turn=Turn.OPENED,
            cause=cause.__name__,
            codes=frozenset(seen.code for seen in alike),
            owners=len(alike),
            since=min(seen.at for seen in alike),
            at=now,
        )
        self._open = _Open(trip, now + self.rest, self.rest)
        self.tell(trip)

    def _tried(self, state: _Open, cause: type[CloudError] | None, now: datetime) -> None:
        if cause is not None:
            state.rest = min(state.rest * 2, self.longest_rest)
            state.until = now + state.rest
            state.probes.clear()
            return
        self._open = None
        self._seen.clear()
        opened = state.trip
        self.tell(
            Trip(
                side=self.side,
                turn=Turn.CLOSED,
                cause=opened.cause,
                codes=opened.codes,
                owners=opened.owners,
                since=opened.since,
                at=now,
            )
        )
