"""How far apart requests must leave so that the receiver never counts more than it allows.

One running instant, "the next one may leave at", as in the generic cell rate algorithm with a burst
of one. All times are whole microseconds on any one clock, so that a script in Redis can do the
same sums to the last digit.
"""

import math
from dataclasses import dataclass

SECOND = 1_000_000
JITTER = 38_000
"""By how much N + 1 requests must overlap a second. A request that the network delays by less than
`JITTER - 2 * LATE` more than the one N places behind it still shares no second with it, and the share of
the allowed rate that remains is 1 / 1.038 = 0.963."""
LATE = 5_000
"""A slot taken up to this much late does not move the next one, nor does a request that leaves up to this much
after it: timers are never exact, and a busy machine would lose its rate to them."""
UNSTRETCHED = 1_000
MOST_STRETCHED = 4_000


@dataclass(frozen=True, slots=True)
class Gait:
    """`free_at`: when the next request may leave. `stretch`: thousandths by which intervals are wider than planned."""

    free_at: int = 0
    stretch: int = UNSTRETCHED


def interval(per_second: float) -> int:
    """Microseconds between departures, so that `per_second` + 1 of them never fit into one second."""
    if per_second <= 0:
        raise ValueError("a rate must be above 0")
    return math.ceil((SECOND + JITTER) / per_second)


def reserve(gait: Gait, *, now: int, interval: int) -> tuple[Gait, int]:
    """The gait afterwards and the instant that was reserved, `now` or later.

    Every reservation takes back a twentieth of the widening that an earlier `slowed` brought.
    """
    at = max(gait.free_at, now)
    step = interval * gait.stretch // UNSTRETCHED
    extra = (gait.stretch - UNSTRETCHED) * 19 // 20
    return Gait(at + step, UNSTRETCHED + extra), at


def departed(gait: Gait, *, at: int, left: int) -> Gait:
    """A request reserved for `at` left only at `left`: the next ones keep their distance from it."""
    return Gait(gait.free_at + max(0, left - at - LATE), gait.stretch)


def slowed(gait: Gait, *, now: int, hold: int) -> Gait:
    """The receiver said "too many" (VK error 6): nothing leaves for `hold`, and then a quarter more slowly.

    Several such answers at once, from requests that were in flight together, count as one.
    """
    told_just_now = gait.free_at >= now + hold // 2
    stretch = gait.stretch if told_just_now else min(gait.stretch * 5 // 4, MOST_STRETCHED)
    return Gait(max(gait.free_at, now + hold), stretch)
