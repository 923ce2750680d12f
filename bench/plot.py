"""Draws lines over two logarithmic axes as SVG text."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from math import ceil, floor, log10

WIDTH, HEIGHT = 820, 420
LEFT, RIGHT, TOP, BOTTOM = 70, 240, 20, 50
LABEL_STEP = 20
COLOURS = ("#1b6ca8", "#c8553d", "#3a7d44", "#7a4fa3", "#b8860b", "#0f8b8d", "#9c2c77", "#555555")
STYLE = "svg{background:#fff}text{font:12px sans-serif;fill:#333}path{fill:none;stroke-width:2}line{stroke:#ddd}"


@dataclass(frozen=True, slots=True)
class Line:
    """A named line through points of positive numbers."""

    name: str
    points: Sequence[tuple[float, float]]


@dataclass(frozen=True, slots=True)
class _Axis:
    """A logarithmic axis from one power of ten to another, from begin to end on the picture."""

    low: int
    high: int
    begin: float
    end: float

    def at(self, value: float) -> float:
        share = (log10(value) - self.low) / max(1, self.high - self.low)
        return round(self.begin + share * (self.end - self.begin), 1)

    def ticks(self) -> list[int]:
        return [10**power for power in range(self.low, self.high + 1)]


def _axis(values: Sequence[float], begin: float, end: float) -> _Axis:
    return _Axis(floor(log10(min(values))), ceil(log10(max(values))), begin, end)


def svg(lines: Sequence[Line], across: str, up: str) -> str:
    """Return a picture of lines. across, up: what the axes show."""
    horizontal = _axis([x for line in lines for x, _ in line.points], LEFT, WIDTH - RIGHT)
    vertical = _axis([y for line in lines for _, y in line.points], HEIGHT - BOTTOM, TOP)
    middle = (LEFT + WIDTH - RIGHT) / 2
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}">',
            f"<style>{STYLE}</style>",
            *_grid(horizontal, vertical),
            *(part for number, line in enumerate(lines) for part in _line(line, number, horizontal, vertical)),
            f'<text x="{middle}" y="{HEIGHT - 10}" text-anchor="middle">{escape(across)}</text>',
            f'<text transform="translate(16 {HEIGHT / 2}) rotate(-90)" text-anchor="middle">{escape(up)}</text>',
            "</svg>",
            "",
        ]
    )


def _grid(horizontal: _Axis, vertical: _Axis) -> list[str]:
    parts = []
    for tick in horizontal.ticks():
        x = horizontal.at(tick)
        parts.append(f'<line x1="{x}" y1="{TOP}" x2="{x}" y2="{HEIGHT - BOTTOM}"/>')
        parts.append(f'<text x="{x}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle">{tick:,}</text>')
    for tick in vertical.ticks():
        y = vertical.at(tick)
        parts.append(f'<line x1="{LEFT}" y1="{y}" x2="{WIDTH - RIGHT}" y2="{y}"/>')
        parts.append(f'<text x="{LEFT - 8}" y="{y + 4}" text-anchor="end">{tick:,}</text>')
    return parts


def _line(line: Line, number: int, horizontal: _Axis, vertical: _Axis) -> list[str]:
    colour = COLOURS[number % len(COLOURS)]
    points = [(horizontal.at(x), vertical.at(y)) for x, y in line.points]
    path = " L ".join(f"{x} {y}" for x, y in points)
    x, y = WIDTH - RIGHT + 20, TOP + 10 + LABEL_STEP * number
    return [
        f'<path d="M {path}" stroke="{colour}"/>',
        *(f'<circle cx="{x}" cy="{y}" r="3" fill="{colour}"/>' for x, y in points),
        f'<path d="M {x} {y} L {x + 18} {y}" stroke="{colour}"/>',
        f'<text x="{x + 24}" y="{y + 4}">{escape(line.name)}</text>',
    ]
