"""Just enough SVG for charts: shapes as strings, numbers short, text escaped."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

Point = tuple[float, float]


def line(start: Point, end: Point, style: str) -> str:
    """A straight line."""
    (x1, y1), (x2, y2) = start, end
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" {style}/>'


def path(points: Sequence[Point], style: str) -> str:
    """Straight lines from point to point."""
    return f'<polyline points="{" ".join(f"{x:.1f},{y:.1f}" for x, y in points)}" {style}/>'


def dot(at: Point, radius: float, style: str) -> str:
    """A circle."""
    return f'<circle cx="{at[0]:.1f}" cy="{at[1]:.1f}" r="{radius:g}" {style}/>'


def square(at: Point, radius: float, style: str) -> str:
    """A square."""
    x, y, side = at[0] - radius, at[1] - radius, 2 * radius
    return f'<rect x="{x:.1f}" y="{y:.1f}" width="{side:g}" height="{side:g}" {style}/>'


def text(at: Point, words: str, style: str) -> str:
    """A line of text."""
    return f'<text x="{at[0]:.1f}" y="{at[1]:.1f}" {style}>{escape(words)}</text>'


def drawing(width: float, height: float, shapes: Iterable[str]) -> str:
    """A whole file, on white."""
    size = f'width="{width:g}" height="{height:g}" viewBox="0 0 {width:g} {height:g}"'
    body = "\n".join(shapes)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="system-ui, sans-serif" '
        f'font-size="12">\n<rect width="100%" height="100%" fill="#fff"/>\n{body}\n</svg>\n'
    )
