"""Checks that stop a shop before harm is done."""

RUBLE = 643
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
