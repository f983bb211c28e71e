"""What is measured against what: sums alone, no input or output."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

CALLS = 25
"""Of one execute (VK FACTS 5)."""
RATE = 3
"""Requests a second that VK allows a token (VK FACTS 4)."""

READS = frozenset({"market.get", "market.getAlbums", "groups.getById"})
READ_BACK = "market.getById"
WRITES = frozenset(
    {
        "market.add",
        "market.edit",
        "market.delete",
        "market.restore",
        "market.addAlbum",
        "market.editAlbum",
        "market.deleteAlbum",
        "market.addToAlbum",
        "market.removeFromAlbum",
        "market.saveProductPhoto",
        "market.saveProductPhotoBulk",
    }
)


def minimum(*, products: int, albums: int, links: int, pages: int) -> float:
    """The fewest VK requests of a first run with the default photo.

    Photos are saved five at a time and travel alone; all else fits into executes, 25 calls each, of which one
    reads back what the other 24 made.
    """
    saves = products / 5
    addresses = products / 5
    read_backs = products / (CALLS - 1)
    return saves + (addresses + products + albums + links / 50 + pages + read_backs) / CALLS


@dataclass(frozen=True, slots=True)
class Push:
    """The part of a run that writes, as VK saw it. `share`: of the allowed rate; `most`: in any second."""

    requests: int
    seconds: float
    share: float
    most: int
    throttled: int


def push(arrivals: Sequence[Mapping[str, Any]]) -> Push:
    """From the first request that prepares or makes something to the last, of the sandbox's ledger."""
    vk = sorted((each for each in arrivals if each["side"] == "vk"), key=lambda each: each["at"])
    writing = [number for number, each in enumerate(vk) if not _is_reading(each)]
    if len(writing) < 2:
        return Push(0, 0.0, 0.0, 0, 0)
    pushed = vk[writing[0] : writing[-1] + 1]
    seconds = pushed[-1]["at"] - pushed[0]["at"]
    return Push(
        requests=len(pushed),
        seconds=seconds,
        share=(len(pushed) - 1) / seconds / RATE,
        most=most_in_a_second([each["at"] for each in vk]),
        throttled=sum(each["outcome"] == 6 for each in vk),
    )


def _is_reading(arrival: Mapping[str, Any]) -> bool:
    methods = arrival["inner"] if arrival["method"] == "execute" else [arrival["method"]]
    return all(method in READS or method == READ_BACK for method in methods)


def most_in_a_second(instants: Sequence[float]) -> int:
    """The most instants, in order, that any sliding window of one second holds."""
    most, first = 0, 0
    for number, at in enumerate(instants):
        while at - instants[first] >= 1.0:
            first += 1
        most = max(most, number - first + 1)
    return most


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the table. `bound` is what must be reached: at most, or at least where `least`."""

    name: str
    value: float
    bound: float
    least: bool = False
    detail: str = ""

    @property
    def reached(self) -> bool:
        return self.value >= self.bound if self.least else self.value <= self.bound

    def described(self) -> str:
        bound = f"{'≥' if self.least else '≤'} {self.bound:g}"
        value = f"{self.value:.3f}".rstrip("0").rstrip(".")
        return f"{'ok  ' if self.reached else 'FAIL'} {self.name:<58} {value:>9}  {bound:<8} {self.detail}"
