from collections.abc import Mapping
from typing import Any

import pytest

from tests.load import report

KINDS = ("worker", "web", "MariaDB", "Redis")


def hour(owners: int, **memory: float) -> dict[str, Any]:
    cpu = {"worker": 0.072, "web": 0.036, "MariaDB": 0.018, "Redis": 0.0036}
    return {
        "owners": owners,
        "cpu_seconds_per_owner_and_hour": cpu,
        "processes": {"worker": 2, "web": 2, "MariaDB": 1, "Redis": 1},
        "memory_mb": memory,
        "pages": {"asked": 3_000},
        "seconds": 600.0,
        "hour_seconds": 600.0,
    }


@pytest.fixture
def found() -> dict[str, Any]:
    """2,000 owners of 1.28 MB; from 500 to 2,000 the workers took 30 MB more, the webs less."""
    few = hour(500, worker=270.0, web=283.0, MariaDB=690.0, Redis=12.0)
    many = hour(2_000, worker=300.0, web=280.0, MariaDB=712.0, Redis=15.0)
    return {"hours": [few, many], "database_mb": 2_560.0}


def test_an_owners_memory_is_what_the_most_take_beyond_the_fewest(found: Mapping[str, Any]) -> None:
    one = report.per_owner(found)
    assert [one[f"{kind} MB"] for kind in KINDS] == pytest.approx([30 / 1500, -3 / 1500, 22 / 1500, 3 / 1500])
    assert (one["worker"], one["database_mb"]) == (0.072, 1.28)


def test_with_one_number_of_owners_nothing_is_known_of_their_memory(found: dict[str, Any]) -> None:
    del found["hours"][0]
    assert [report.per_owner(found)[f"{kind} MB"] for kind in KINDS] == [0, 0, 0, 0]


def test_few_owners_need_two_processes_of_each_and_the_pages_that_ship(found: Mapping[str, Any]) -> None:
    small = report.machine(found, 1_000)
    assert (small.workers, small.webs, small.pool_gb) == (2, 2, 0.5)
    assert small.worker_cores == pytest.approx(1_000 * 0.072 / 3600 / 0.6)
    assert small.database_gb == pytest.approx((200 + 512) / 1024)


def test_a_large_machine_is_the_sum_of_its_owners(found: Mapping[str, Any]) -> None:
    large = report.machine(found, 100_000)
    assert (large.worker_cores, large.web_cores) == pytest.approx((3.333, 1.667), rel=1e-3)
    assert (large.database_cores, large.redis_cores) == pytest.approx((0.833, 0.167), rel=2e-3)
    assert (large.workers, large.webs) == (4, 2), "a process uses one core at most"
    assert large.workers_gb == pytest.approx((4 * (300 - 0.02 * 2_000) / 2 + 0.02 * 100_000) / 1024)
    assert large.webs_gb == pytest.approx(280 / 1024), "a negative growth is none"
    assert large.pool_gb == pytest.approx(25), "a fifth of the tables, as measured"
    assert large.redis_gb == pytest.approx((15 - 4 + 200) / 1024)
    assert large.disk_gb == pytest.approx(2 * 125 + 1)
    assert large.memory_gb == pytest.approx(large.workers_gb + large.webs_gb + large.database_gb + large.redis_gb)


def test_mariadb_needs_no_more_room_for_pages_than_there_are(found: dict[str, Any]) -> None:
    found["database_mb"] = 200.0
    assert report.machine(found, 100_000).pool_gb == pytest.approx(100_000 * 0.1 / 1024)


def test_the_machines_are_printed_with_what_was_assumed(found: Mapping[str, Any]) -> None:
    printed = report.sizes(found)
    assert all(f"{owners:>8}  " in printed for owners in report.SIZES)
    assert all(each in printed for each in report.assumed(found))
    assert "1.5 pages an hour" in printed


@pytest.mark.parametrize(
    ("most_rows", "slowly", "carried"),
    [
        (9_000_000, 600.0, 2_000 * 3600 / 40),
        (2_000_000, 600.0, 2_000_000 / 12),
        (9_000_000, 6_000.0, 200 * 3600 / 12),
    ],
    ids=["the time of an hour's sweep", "the rows it stops at", "the rate of many rows"],
)
def test_a_sweep_carries_as_many_owners_as_the_least_of_three_allows(
    most_rows: int, slowly: float, carried: float
) -> None:
    steps = [
        {"hourly": True, "idle": True, "seconds": 30.0, "rows": 24_000},
        {"hourly": True, "idle": False, "seconds": 10.0, "rows": 400},
        {"hourly": False, "idle": True, "seconds": slowly, "rows": 1_200_000},
    ]
    swept = {"owners": 2_000, "steps": steps, "most_rows": most_rows}
    assert report.owners_carried(swept) == carried
    assert [figure.reached for figure in report.figures({"sweep": swept})] == [carried >= 100_000]


def test_what_was_not_measured_in_time_is_no_figure() -> None:
    assert report.figures({}) == []
    assert report.plots({"hours": []}) == {}
