"""When a listing of the till is doubted."""

import pytest

from evosync.domain.listing import looks_wrong


@pytest.mark.parametrize(
    ("known", "count"),
    [(1, 0), (2, 0), (4, 2), (4, 1), (10, 5), (10, 4), (200, 179), (3_000, 2_500), (15_000, 0)],
)
def test_a_store_that_lost_all_or_half_or_of_many_a_tenth_is_doubted(known: int, count: int) -> None:
    assert looks_wrong(count, known)


@pytest.mark.parametrize(
    ("known", "count"), [(0, 0), (0, 5), (5, 9), (2, 1), (3, 2), (10, 6), (100, 80), (200, 180), (3_000, 2_700)]
)
def test_a_store_that_lost_a_few_is_believed(known: int, count: int) -> None:
    assert not looks_wrong(count, known)
