from collections.abc import Iterable
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evosync.domain import pace
from evosync.domain.pace import SECOND, Gait


def most_in_a_second(instants: Iterable[int]) -> int:
    ordered = sorted(instants)
    return max(sum(1 for other in ordered if at <= other < at + SECOND) for at in ordered)


def departures(waits: Iterable[int], interval: int) -> list[int]:
    """When requests leave whose senders come `waits` after one another."""
    gait, now, left = Gait(), 0, []
    for wait in waits:
        now += wait
        gait, at = pace.reserve(gait, now=now, interval=interval)
        left.append(at)
    return left


def test_three_a_second_leave_346_milliseconds_apart() -> None:
    assert pace.interval(3) == 346_000


@given(st.floats(min_value=0.2, max_value=100))
def test_at_least_0_955_of_the_allowed_rate_remains(per_second: float) -> None:
    assert SECOND / pace.interval(per_second) / per_second >= 0.955


@pytest.mark.parametrize("rate", [0, -1])
def test_a_rate_of_nothing_is_refused(rate: float) -> None:
    with pytest.raises(ValueError, match="above 0"):
        pace.interval(rate)


@given(
    per_second=st.integers(min_value=1, max_value=20),
    waits=st.lists(st.integers(min_value=0, max_value=SECOND), min_size=1, max_size=60),
    dice=st.randoms(use_true_random=False),
)
def test_no_second_at_the_receiver_holds_more_than_the_rate_although_the_network_delays(
    per_second: int, waits: list[int], dice: Random
) -> None:
    sent = departures(waits, pace.interval(per_second))
    late, delay = 2 * pace.LATE, pace.JITTER - 2 * pace.LATE
    assert most_in_a_second(at + dice.randint(0, late) + dice.randint(0, delay) for at in sent) <= per_second


def test_who_comes_after_a_pause_leaves_at_once() -> None:
    gait, _ = pace.reserve(Gait(), now=0, interval=348_000)
    _, at = pace.reserve(gait, now=5 * SECOND, interval=348_000)
    assert at == 5 * SECOND


def test_a_request_that_left_late_holds_the_next_one_back_by_as_much() -> None:
    gait, at = pace.reserve(Gait(), now=0, interval=348_000)
    assert pace.departed(gait, at=at, left=100_000).free_at == 348_000 + 100_000 - pace.LATE


def test_a_timer_that_is_a_little_late_costs_nothing() -> None:
    gait, at = pace.reserve(Gait(), now=0, interval=348_000)
    assert pace.departed(gait, at=at, left=pace.LATE) == gait


def test_too_many_requests_hold_all_back_and_widen_the_gaps() -> None:
    gait = pace.slowed(Gait(), now=10 * SECOND, hold=SECOND)
    gait, at = pace.reserve(gait, now=10 * SECOND, interval=400_000)
    assert at == 11 * SECOND
    assert gait.free_at == 11 * SECOND + 500_000


def test_answers_to_requests_that_were_in_flight_together_count_as_one() -> None:
    once = pace.slowed(Gait(), now=10 * SECOND, hold=SECOND)
    assert pace.slowed(once, now=10 * SECOND + 50_000, hold=SECOND).stretch == once.stretch


def test_the_gaps_never_grow_beyond_four_times() -> None:
    gait = Gait()
    for second in range(100):
        gait = pace.slowed(gait, now=10 * second * SECOND, hold=SECOND)
    assert gait.stretch == pace.MOST_STRETCHED


def test_the_pace_recovers_wholly_after_a_while() -> None:
    gait = pace.slowed(Gait(), now=0, hold=SECOND)
    stretches = []
    for _ in range(200):
        gait, _ = pace.reserve(gait, now=gait.free_at, interval=348_000)
        stretches.append(gait.stretch)
    assert stretches == sorted(stretches, reverse=True)
    assert stretches[5] > pace.UNSTRETCHED
    assert stretches[-1] == pace.UNSTRETCHED
