"""Who asked what and when, counted exactly where the requests arrive."""

from collections import Counter, defaultdict, deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

Side = Literal["vk", "evotor", "upload"]


@dataclass(slots=True)
class Arrival:
    """One request as the receiving side saw it; ``at`` is on the monotonic clock."""

    at: float
    side: Side
    token: str
    method: str
    inner: list[str] = field(default_factory=list)
    outcome: int = 0
    """0 for success, else VK's error code or the HTTP status."""


@dataclass(slots=True)
class Ledger:
    """All arrivals in order, and sums over them."""

    arrivals: list[Arrival] = field(default_factory=list)
    calls: Counter[str] = field(default_factory=Counter)
    """Methods called, those inside ``execute`` included."""
    errors: Counter[str] = field(default_factory=Counter)
    """``method:code`` of everything refused, those inside ``execute`` included."""
    unknown_parameters: Counter[str] = field(default_factory=Counter)
    """``method:name`` of parameters that VK does not know and silently drops."""

    def arrive(self, at: float, side: Side, token: str, method: str) -> Arrival:
        """Note a request."""
        arrival = Arrival(at, side, token, method)
        self.arrivals.append(arrival)
        self.calls[method] += 1
        return arrival

    def of(self, side: Side, token: str | None = None) -> Iterator[Arrival]:
        """The arrivals of one side, of one token if named."""
        return (a for a in self.arrivals if a.side == side and token in (None, a.token))

    def requests(self, side: Side = "vk") -> int:
        """How many requests came to that side."""
        return sum(1 for _ in self.of(side))

    def most_in_window(self, seconds: float = 1.0, side: Side = "vk") -> dict[str, int]:
        """Per token, the most arrivals that any sliding window of that length holds."""
        windows: dict[str, deque[float]] = defaultdict(deque)
        most: dict[str, int] = {}
        for arrival in sorted(self.of(side), key=lambda one: one.at):
            window = windows[arrival.token]
            window.append(arrival.at)
            while arrival.at - window[0] >= seconds:
                window.popleft()
            most[arrival.token] = max(most.get(arrival.token, 0), len(window))
        return most

    def clear(self) -> None:
        """Forget everything seen so far."""
        self.arrivals.clear()
        self.calls.clear()
        self.errors.clear()
        self.unknown_parameters.clear()


@dataclass(slots=True)
class Pace:
    """The counter of requests per second of one VK token: sliding window, refused requests do not count."""

    accepted: deque[float] = field(default_factory=deque)

    def admits(self, at: float, per_second: int) -> bool:
        """Count a request that came at ``at``; false if it is one too many."""
        if self.accepted:
            at = max(at, self.accepted[-1])
        while self.accepted and at - self.accepted[0] >= 1.0:
            self.accepted.popleft()
        if len(self.accepted) >= per_second:
            return False
        self.accepted.append(at)
        return True
