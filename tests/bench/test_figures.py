import pytest

from tests.bench.figures import Figure, minimum, most_in_a_second, push


def test_the_minimum_is_the_formula_of_the_figures() -> None:
    # 20 saves; 20 addresses, 100 adds, 2 albums, 2 lists of links, 3 pages and 100/24 read-backs, 25 to a request
    assert minimum(products=100, albums=2, links=100, pages=3) == pytest.approx(
        20 + (20 + 100 + 2 + 2 + 3 + 100 / 24) / 25
    )


def test_a_window_of_a_second_slides() -> None:
    assert most_in_a_second([0.0, 0.34, 0.68, 1.02]) == 3
    assert most_in_a_second([0.0, 0.9, 0.95, 0.99, 1.5]) == 4
    assert most_in_a_second([]) == 0


def test_the_push_is_measured_from_its_first_request_to_its_last() -> None:
    def arrival(at: float, method: str, *inner: str, outcome: int = 0) -> dict[str, object]:
        return {"at": at, "side": "vk", "method": method, "inner": list(inner), "outcome": outcome}

    pushed = push(
        [
            arrival(0.0, "execute", "market.get", "market.getAlbums"),
            arrival(5.0, "execute", "market.addAlbum"),
            arrival(5.4, "market.saveProductPhotoBulk", outcome=6),
            arrival(6.0, "execute", "market.add", "market.getById"),
        ]
    )
    assert (pushed.requests, pushed.seconds, pushed.throttled) == (3, 1.0, 1)
    assert pushed.share == pytest.approx(2 / 3)


def test_a_figure_is_reached_at_its_bound() -> None:
    assert Figure("x", 1.1, 1.1).reached
    assert not Figure("x", 1.11, 1.1).reached
    assert Figure("x", 0.95, 0.95, least=True).reached
    assert not Figure("x", 0.94, 0.95, least=True).reached
