"""The shelf and its mirror: drawn on the server as paths, without a style of their own.

Above the line stands what the till has, below it what VK shows. The same shape on both sides: in step. A dashed
gap: not there yet.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Final

from markupsafe import Markup, escape

_WIDTH: Final = 400.0
_LINE: Final = 50.0
_CLEAR: Final = 1.5
"""Air between the shelf and what stands on it."""
_TALLEST: Final = 46.0
_LOWEST: Final = 3.0


@dataclass(frozen=True, slots=True)
class Bar:
    """`size` things on the till's side, `same` of them on VK's side just so."""

    size: int
    same: int


DECORATION: Final = tuple(Bar(size, size) for size in (690, 1000, 860, 410, 320, 560, 655, 418, 384, 260, 186, 74))
"""A shelf that means no real shop: before the door."""

MISSING: Final = tuple(Bar(bar.size, 0 if place == 5 else bar.size) for place, bar in enumerate(DECORATION))
"""The same with one thing that is not there: error pages."""


@dataclass(frozen=True, slots=True)
class _Paths:
    till: str
    show: str
    gap: str


def _rectangle(x: float, y: float, width: float, height: float) -> str:
    return f"M{x:.1f} {y:.1f}h{width:.1f}v{height:.1f}h-{width:.1f}z"


def _paths(bars: Sequence[Bar], *, rooted: bool) -> _Paths:
    step = _WIDTH / max(len(bars), 1)
    width = step * 0.72
    largest = max((bar.size for bar in bars), default=0) or 1
    till, show, gap = [], [], []
    for place, bar in enumerate(bars):
        if bar.size <= 0:
            continue
        share = bar.size / largest
        height = max((sqrt(share) if rooted else share) * _TALLEST, _LOWEST)
        x = step * place + (step - width) / 2
        till.append(_rectangle(x, _LINE - _CLEAR - height, width, height))
        same = min(max(bar.same, 0), bar.size)
        shown = height * same / bar.size
        if same < bar.size:
            # One that is missing among a thousand must be seen too.
            shown = min(shown, height * 0.85)
            gap.append(_rectangle(x + 0.5, _LINE + _CLEAR + shown, width - 1, height - shown))
        if shown > 0:
            show.append(_rectangle(x, _LINE + _CLEAR, width, shown))
    return _Paths("".join(till), "".join(show), "".join(gap))


def _svg(paths: _Paths, label: str) -> Markup:
    named = f'role="img" aria-label="{escape(label)}"' if label else 'aria-hidden="true"'
    return Markup(  # noqa: S704 - numbers, and a label that is escaped
        f'<svg viewBox="0 0 400 100" preserveAspectRatio="none" {named}>'
        f'<path class="till" d="{paths.till}"/><path class="show" d="{paths.show}"/>'
        f'<path class="gap" d="{paths.gap}"/><path class="shelf" d="M0 49.3h400v1.4H0z"/></svg>'
    )


class Pictures:
    """What templates draw with, as `picture`."""

    DECORATION = DECORATION
    MISSING = MISSING

    @staticmethod
    def shelf(bars: Sequence[Bar], label: str = "") -> Markup:
        """Groups, the height by square root of the size; at most 24. `label` names the gaps in a sentence."""
        return _svg(_paths(gathered(bars), rooted=True), label)

    @staticmethod
    def runs(bars: Sequence[Bar], label: str) -> Markup:
        """Runs from the oldest to the newest: changed at the till above, carried over below."""
        return _svg(_paths(bars[-24:], rooted=True), label)

    @staticmethod
    def tile(size: int, same: int) -> Markup:
        """The shelf in small, for one group."""
        share = 0.0 if size <= 0 else same / size
        if same < size:
            share = min(share, 0.85)
        shown, missing = [], []
        for x, height in ((2, 10), (11, 15), (20, 7)):
            part = height * share
            if part > 0:
                shown.append(_rectangle(x, 20, 7, part))
            if height - part >= 0.6:
                missing.append(_rectangle(x + 0.5, 20.5 + part, 6, height - part - 0.5))
        return Markup(  # noqa: S704 - numbers alone
            '<svg viewBox="0 0 29 36" aria-hidden="true">'
            '<path class="till" d="M2 6h7v10h-7zM11 1h7v15h-7zM20 9h7v7h-7zM0 17h29v2H0z"/>'
            f'<path class="show" d="{"".join(shown)}"/><path class="gap" d="{"".join(missing)}"/></svg>'
        )


def gathered(bars: Sequence[Bar], most: int = 24) -> list[Bar]:
    """As they are, up to `most`; of more, the largest, and the rest together in the last."""
    if len(bars) <= most:
        return list(bars)
    ordered = sorted(bars, key=lambda bar: bar.size, reverse=True)
    rest = ordered[most - 1 :]
    return [*ordered[: most - 1], Bar(sum(bar.size for bar in rest), sum(bar.same for bar in rest))]


picture: Final = Pictures()
