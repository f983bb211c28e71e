"""How fast the busiest token goes, whoever sends for it in this process; which token it is, nobody is told."""

import time
from collections.abc import Callable
from typing import Final

from evosync.vk.pacer import Pacer

SPAN: Final = 10.0
"""Seconds."""


class CountedPacer:
    """A `Pacer` that counts the departures of another."""

    def __init__(self, pacer: Pacer, clock: Callable[[], float] = time.monotonic) -> None:
        self._pacer = pacer
        self._clock = clock
        self._since = clock()
        self._left: dict[str, int] = {}
        self._most_before = 0

    async def slot(self, fingerprint: str) -> None:
        await self._pacer.slot(fingerprint)
        self._turn_over()
        self._left[fingerprint] = self._left.get(fingerprint, 0) + 1

    async def late(self, fingerprint: str, seconds: float) -> None:
        await self._pacer.late(fingerprint, seconds)

    async def too_fast(self, fingerprint: str) -> None:
        await self._pacer.too_fast(fingerprint)

    def per_second(self) -> float:
        """Of the span that goes on or of the one before, whichever was busier."""
        self._turn_over()
        return max(self._most_before, *self._left.values(), 0) / SPAN

    def _turn_over(self) -> None:
        now = self._clock()
        spans, into = divmod(now - self._since, SPAN)
        if spans:
            self._most_before = max(self._left.values(), default=0) if spans == 1 else 0
            self._left.clear()
            self._since = now - into
