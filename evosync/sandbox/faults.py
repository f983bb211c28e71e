"""Faults on demand: what shall go wrong, for which calls, and how often."""

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Literal

Kind = Literal[
    "error", "http", "hang", "cut", "cut_body", "broken_body", "runtime", "hold", "slow", "half_page", "empty_list"
]
KINDS: tuple[Kind, ...] = (
    "error", "http", "hang", "cut", "cut_body", "broken_body", "runtime", "hold", "slow", "half_page", "empty_list",
)  # fmt: skip
When = Literal["before", "after"]

HTML_503 = "<html><head><title>503</title></head><body>Service Temporarily Unavailable</body></html>"


@dataclass(slots=True, kw_only=True)
class Fault:
    """One rule. It matches by method, token and place, lets ``skip`` matches pass, then strikes ``times`` times.

    Methods are VK's own names, ``execute``, ``upload``, or for Evotor ``evotor.stores``, ``evotor.groups``,
    ``evotor.products``, ``evotor.store``, ``evotor.group``, ``evotor.product``; a pattern such as ``market.*`` is fine.
    A rule for ``market.add`` also strikes inside ``execute``.
    Kinds: ``error`` (a VK code), ``http`` (a status and a body), ``hang`` (no answer for ``seconds``, then a cut),
    ``cut`` (the connection), ``cut_body`` (half the body, then a cut), ``broken_body`` (whole HTTP, half the JSON),
    ``runtime`` (``execute`` fails with 13 after ``after_calls`` inner calls took effect), ``hold`` (waits until
    released), ``slow`` (``seconds`` more), ``half_page`` and ``empty_list`` (Evotor lists that lie).
    ``when`` says whether the call has its effect first.
    """

    kind: Kind
    method: str = "*"
    when: When = "before"
    token: str | None = None
    place: str | None = None
    """An Evotor store id, or the id of a VK community as text."""
    skip: int = 0
    times: int | None = 1
    chance: float = 1.0
    code: int = 10
    message: str | None = None
    status: int = 503
    body: str = HTML_503
    content_type: str = "text/html"
    seconds: float = 60.0
    after_calls: int = 0
    only_if: Callable[[str], bool] | None = None
    """A further condition on the method name, for rules made in Python."""
    id: int = 0
    struck: int = 0
    reached: asyncio.Event = field(default_factory=asyncio.Event)
    released: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        """Refuse a kind nobody knows.

        Raises:
            ValueError: the kind or the moment is not one of those listed.
        """
        if self.kind not in KINDS:
            message = f"unknown kind of fault {self.kind!r}, known are {', '.join(KINDS)}"
            raise ValueError(message)
        if self.when not in ("before", "after"):
            message = f"a fault comes 'before' or 'after' the effect, not {self.when!r}"
            raise ValueError(message)

    def release(self) -> None:
        """Let every call that this rule holds go on."""
        self.released.set()

    def matches(self, method: str, token: str, place: str) -> bool:
        """Whether the rule is about this call."""
        return (
            fnmatchcase(method, self.method)
            and self.token in (None, token)
            and self.place in (None, place)
            and (self.only_if is None or self.only_if(method))
        )


@dataclass(slots=True)
class Faults:
    """The rules in force, asked in order; the first that strikes wins."""

    dice: random.Random = field(default_factory=lambda: random.Random(2))  # noqa: S311 - chance of a fault in a test
    rules: list[Fault] = field(default_factory=list)
    everything: list[Fault] = field(default_factory=list)
    """Also those used up, so that a hold can still be released by its id."""

    def add(self, fault: Fault) -> Fault:
        """Put a rule in force and give it its id."""
        fault.id = len(self.everything) + 1
        self.rules.append(fault)
        self.everything.append(fault)
        return fault

    def take(self, method: str, token: str = "", place: str = "", kinds: tuple[Kind, ...] = KINDS) -> Fault | None:
        """The fault that strikes this call, if any; it counts as used."""
        if not self.rules:
            return None
        for fault in self.rules:
            if fault.kind not in kinds or not fault.matches(method, token, place):
                continue
            if fault.skip > 0:
                fault.skip -= 1
                continue
            if fault.chance < 1.0 and self.dice.random() >= fault.chance:
                continue
            fault.struck += 1
            if fault.times is not None and fault.struck >= fault.times:
                self.rules.remove(fault)
            return fault
        return None

    def clear(self) -> None:
        """Drop all rules and release whatever is held."""
        for fault in self.everything:
            fault.release()
        self.rules.clear()
        self.everything.clear()


class BrokenTransportError(Exception):
    """The reply does not reach the client the way it should."""

    def __init__(self, fault: Fault) -> None:
        """Carry the rule that says how."""
        super().__init__(fault.kind)
        self.fault = fault
