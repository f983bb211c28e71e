from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evosync.domain import schedule
from evosync.domain.ids import ProductId, StoreId, UserId
from evosync.domain.mirror import Pause, Scope, StoreReading, StoreState
from evosync.domain.schedule import Rhythm

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)
SECOND = timedelta(seconds=1)
RHYTHM = Rhythm(full=HOUR, delta=5 * MINUTE, twin=5 * MINUTE)


def test_users_are_spread_evenly_over_the_interval() -> None:
    tenths = [0] * 10
    for user in range(1, 1001):
        tenths[int(schedule.spread(UserId(user), HOUR) / HOUR * 10)] += 1
    assert min(tenths) > 60


def test_two_hundred_users_hardly_ever_start_in_the_same_ten_seconds() -> None:
    starts = [schedule.next_slot(UserId(user), now=NOW, interval=HOUR) for user in range(1, 201)]
    ticks = [int((start - NOW) / (10 * SECOND)) for start in starts]
    assert max(ticks.count(tick) for tick in ticks) <= 5


@given(
    user=st.integers(1, 10**6),
    now=st.datetimes(min_value=datetime(2020, 1, 1), max_value=datetime(2040, 1, 1)),  # noqa: DTZ001 - made aware below
    seconds=st.integers(10, 86_400),
)
def test_a_slot_is_half_to_one_and_a_half_intervals_away_and_repeats(user: int, now: datetime, seconds: int) -> None:
    now = now.replace(tzinfo=UTC)
    interval = timedelta(seconds=seconds)
    slot = schedule.next_slot(UserId(user), now=now, interval=interval)
    assert interval / 2 <= slot - now < interval * 1.5
    assert schedule.next_slot(UserId(user), now=slot, interval=interval) == slot + interval


@pytest.mark.parametrize(
    ("failures", "wait"),
    [
        (0, timedelta()),
        (1, 30 * SECOND),
        (2, 60 * SECOND),
        (3, 2 * MINUTE),
        (6, 16 * MINUTE),
        (7, 30 * MINUTE),
        (10_000, 30 * MINUTE),
    ],
)
def test_the_wait_doubles_with_each_failure_up_to_half_an_hour(failures: int, wait: timedelta) -> None:
    assert schedule.backoff(failures) == wait


def test_after_a_failure_only_the_back_off_counts() -> None:
    at = schedule.next_at(UserId(7), now=NOW, rhythm=RHYTHM, failures=3, wakes=[NOW + SECOND])
    assert 2 * MINUTE <= at - NOW <= 2.5 * MINUTE


def test_users_who_failed_together_come_back_apart() -> None:
    back = {schedule.next_at(UserId(user), now=NOW, rhythm=RHYTHM, failures=5) for user in range(1, 51)}
    assert len(back) == 50


def test_without_failures_the_next_run_is_the_users_turn() -> None:
    assert schedule.next_at(UserId(7), now=NOW, rhythm=RHYTHM) == schedule.next_slot(
        UserId(7), now=NOW, interval=5 * MINUTE
    )


def test_what_can_go_on_earlier_brings_the_run_forward() -> None:
    wake = NOW + 40 * SECOND
    assert schedule.next_at(UserId(7), now=NOW, rhythm=RHYTHM, wakes=[wake, NOW + HOUR]) == wake


def test_what_could_have_gone_on_long_ago_brings_nothing_forward() -> None:
    usual = schedule.next_at(UserId(7), now=NOW, rhythm=RHYTHM)
    assert schedule.next_at(UserId(7), now=NOW, rhythm=RHYTHM, wakes=[NOW, NOW - HOUR]) == usual


def test_pauses_resting_and_held_stores_wake_the_mirror() -> None:
    readings = {
        StoreId("held"): StoreReading(state=StoreState.HELD, held_at=NOW),
        StoreId("unpaid"): StoreReading(state=StoreState.UNPAID, retry_at=NOW + 6 * HOUR),
        StoreId("fine"): StoreReading(held_at=NOW),
    }
    pauses = {"market.add": Pause(NOW + HOUR, "VK 9")}
    wakes = schedule.wakes(readings, pauses, rhythm=RHYTHM)
    assert sorted(wakes) == [NOW + 5 * MINUTE, NOW + HOUR, NOW + 6 * HOUR]


def test_a_store_never_read_is_read_whole() -> None:
    assert schedule.reading_due(None, now=NOW, rhythm=RHYTHM) is Scope.FULL
    assert schedule.reading_due(StoreReading(), now=NOW, rhythm=RHYTHM) is Scope.FULL


@pytest.mark.parametrize(
    ("since_full", "since_delta", "due"),
    [
        (1 * MINUTE, None, None),
        (4 * MINUTE, None, Scope.DELTA),
        (30 * MINUTE, 1 * MINUTE, None),
        (30 * MINUTE, 5 * MINUTE, Scope.DELTA),
        (58 * MINUTE, 5 * MINUTE, Scope.FULL),
        (3 * HOUR, 1 * MINUTE, Scope.FULL),
    ],
)
def test_deltas_come_between_full_passes(
    since_full: timedelta, since_delta: timedelta | None, due: Scope | None
) -> None:
    reading = StoreReading(full_at=NOW - since_full, delta_at=None if since_delta is None else NOW - since_delta)
    assert schedule.reading_due(reading, now=NOW, rhythm=RHYTHM) is due


def test_a_full_pass_comes_once_an_interval_at_the_users_own_turns() -> None:
    now, reading, fulls = NOW, StoreReading(full_at=NOW), 0
    while now < NOW + 24 * HOUR:
        now = schedule.next_at(UserId(3), now=now + 20 * SECOND, rhythm=RHYTHM)
        match schedule.reading_due(reading, now=now, rhythm=RHYTHM):
            case Scope.FULL:
                fulls += 1
                reading = StoreReading(full_at=now)
            case Scope.DELTA:
                reading = StoreReading(full_at=reading.full_at, delta_at=now)
    assert fulls == 24


def test_a_store_at_rest_is_left_alone_until_its_time() -> None:
    reading = StoreReading(state=StoreState.UNPAID, full_at=NOW - 9 * HOUR, retry_at=NOW + SECOND)
    assert schedule.reading_due(reading, now=NOW, rhythm=RHYTHM) is None
    assert schedule.reading_due(reading, now=NOW + SECOND, rhythm=RHYTHM) is Scope.FULL


def test_a_store_that_failed_is_asked_for_its_changes_until_its_hour_has_come() -> None:
    failed = StoreReading(state=StoreState.FAILED, full_at=NOW - 30 * MINUTE, delta_at=NOW, retry_at=NOW + SECOND)
    assert schedule.reading_due(failed, now=NOW, rhythm=RHYTHM) is None
    assert schedule.reading_due(failed, now=NOW + SECOND, rhythm=RHYTHM) is Scope.DELTA
    assert schedule.reading_due(failed, now=NOW + 30 * MINUTE, rhythm=RHYTHM) is Scope.FULL
    never = StoreReading(state=StoreState.FAILED, retry_at=NOW)
    assert schedule.reading_due(never, now=NOW, rhythm=RHYTHM) is Scope.FULL


@pytest.mark.parametrize(("count", "due"), [(1, Scope.DELTA), (51, Scope.FULL)])
def test_products_named_in_vain_are_read_singly_or_if_they_are_many_with_all_others(count: int, due: Scope) -> None:
    missed = frozenset(ProductId(f"p{number}") for number in range(count))
    reading = StoreReading(full_at=NOW, delta_at=NOW, retry_at=NOW + SECOND, missed=missed)
    assert schedule.reading_due(reading, now=NOW, rhythm=RHYTHM) is None
    assert schedule.reading_due(reading, now=NOW + SECOND, rhythm=RHYTHM) is due


def test_a_suspicious_listing_is_read_whole_again_minutes_later() -> None:
    held = StoreReading(state=StoreState.HELD, full_at=NOW - MINUTE, delta_at=NOW, held_at=NOW)
    assert schedule.reading_due(held, now=NOW + MINUTE, rhythm=RHYTHM) is None
    assert schedule.reading_due(held, now=NOW + 5 * MINUTE, rhythm=RHYTHM) is Scope.FULL


def test_a_stopped_method_waits_twice_as_long_each_time() -> None:
    pause, now, waits = None, NOW, []
    for _ in range(8):
        pause = schedule.next_pause(pause, "VK 9", now=now)
        waits.append((pause.until - now) / MINUTE)
        now = pause.until + MINUTE
    assert waits == [10, 20, 40, 80, 160, 320, 360, 360]
    assert pause is not None
    assert pause.code == "VK 9"


def test_a_pause_long_over_counts_no_more() -> None:
    long_ago = Pause(NOW - 7 * HOUR, "VK 9", step=5)
    assert schedule.next_pause(long_ago, "VK 9", now=NOW) == Pause(NOW + 10 * MINUTE, "VK 9", step=0)


def test_a_captcha_is_asked_about_once_an_hour() -> None:
    first = schedule.next_pause(None, "VK 14", now=NOW)
    second = schedule.next_pause(first, "VK 14", now=first.until)
    assert (first.until - NOW, second.until - first.until) == (HOUR, HOUR)
