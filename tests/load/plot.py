"""Plots as SVG, by these few lines: no library is worth three lines in a report."""

from collections.abc import Mapping, Sequence
from xml.sax.saxutils import escape

_WIDTH, _HEIGHT = 420, 260
_LEFT, _RIGHT, _TOP, _BOTTOM = 56, 14, 34, 46
_COLOURS = ("#2563a8", "#b2562f", "#3f7d4e", "#7a4f9a")
Points = Sequence[tuple[float, float]]


def plot(title: str, lines: Mapping[str, Points], *, across: str, up: str) -> str:
    """Lines through their points, both axes from nought."""
    right = max((x for points in lines.values() for x, _ in points), default=1) or 1
    top = _round_up(max((y for points in lines.values() for _, y in points), default=1) or 1)

    def place(x: float, y: float) -> tuple[float, float]:
        wide, high = _WIDTH - _LEFT - _RIGHT, _HEIGHT - _TOP - _BOTTOM
        return round(_LEFT + wide * x / right, 1), round(_HEIGHT - _BOTTOM - high * y / top, 1)

    parts = [
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}"'
            f' width="{_WIDTH}" height="{_HEIGHT}" font-family="sans-serif" font-size="11" fill="#333">'
        ),
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="#fff"/>',
        _text(_LEFT, 18, title, weight="bold"),
        _text(_WIDTH - _RIGHT, _HEIGHT - 8, across, anchor="end"),
        _text(_LEFT, 30, up),
    ]
    for step in range(5):
        x, y = place(right * step / 4, top * step / 4)
        parts += [
            f'<line x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y}" y2="{y}" stroke="#ddd"/>',
            _text(_LEFT - 5, y + 4, _short(top * step / 4), anchor="end"),
            _text(x, _HEIGHT - _BOTTOM + 15, _short(right * step / 4), anchor="middle"),
        ]
    for number, (name, points) in enumerate(lines.items()):
        colour = _COLOURS[number % len(_COLOURS)]
        placed = [place(*point) for point in sorted(points)]
        way = " ".join(f"{x},{y}" for x, y in placed)
        parts.append(f'<polyline points="{way}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts += [f'<circle cx="{x}" cy="{y}" r="3" fill="{colour}"/>' for x, y in placed]
        if len(lines) > 1:
            parts.append(_text(_LEFT + 8, _TOP + 14 + 14 * number, name, colour=colour))
    return "\n".join([*parts, "</svg>", ""])


def _text(
    x: float, y: float, words: str, *, anchor: str = "start", weight: str = "normal", colour: str = "#333"
) -> str:
    place = f'x="{x}" y="{y}" text-anchor="{anchor}" font-weight="{weight}" fill="{colour}"'
    return f"<text {place}>{escape(words)}</text>"


def _round_up(value: float) -> float:
    """To 1, 2, 4 or 8 times a power of ten."""
    power: float = 1.0
    while power > value:
        power /= 10
    while power * 10 <= value:
        power *= 10
    return next(step * power for step in (1, 2, 4, 8, 10) if step * power >= value)


def _short(value: float) -> str:
    return f"{value / 1000:g}k" if value >= 10_000 else f"{value:.3g}"
