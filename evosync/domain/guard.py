"""Checks that stop a shop before harm is done."""

from dataclasses import dataclass

ROUBLE = 643
"""ISO number of the only currency that a till counts in."""


def price_is_off(wanted: int, got: int) -> bool:
    """Whether VK read the price about 100 times too high or too low (VK FACTS 1)."""
    if wanted <= 0 or got <= 0:
        return False
    ratio = got / wanted
    return 90 <= ratio <= 110 or 1 / 110 <= ratio <= 1 / 90


def most_fail(failed: int, tried: int) -> bool:
    """Whether so many writes are refused that the fault must be ours, or the whole shop's (VK FACTS 4, error 100)."""
    return failed >= 20 and failed * 2 > tried


@dataclass(frozen=True, slots=True)
class Finding:
    """What a guard stopped a shop for: kopecks, or numbers of currencies; `name` is that of what VK had."""

    code: str
    wanted: int
    got: int
    name: str = ""

    def __str__(self) -> str:
        """As it is kept with the run."""
        return f"{self.code} {self.wanted} {self.got} {self.name}".strip()

    @classmethod
    def read(cls, text: str) -> "Finding | None":
        code, _, rest = text.partition(" ")
        wanted, _, rest = rest.partition(" ")
        got, _, name = rest.partition(" ")
        return cls(code, int(wanted), int(got), name) if wanted.isdecimal() and got.isdecimal() else None
