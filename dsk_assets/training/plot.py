"""The loss curve of a training run as a picture: the batches', and each domain's held out."""

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

WIDTH, HEIGHT = 760, 320
LEFT, TOP, RIGHT, BOTTOM = 48, 16, 250, 32
POINTS = 400
"""Points of a line at most; between them the mean is drawn."""
COLOURS = ("#0f62fe", "#da1e28", "#198038", "#8a3ffc", "#b28600", "#009d9a", "#9f1853", "#525252")

Line = Sequence[tuple[float, float]]


def loss_curve(losses: Iterable[Mapping[str, Any]], held_out: Iterable[Mapping[str, Any]]) -> str:
    """An SVG of tables ``loss`` and ``held_out`` of a run: nats a token over steps."""
    lines: dict[str, Line] = {"training": _thinned([(one["step"], one["loss"]) for one in losses])}
    for row in held_out:
        name = f"held out: {row['domain']}"
        lines[name] = [*lines.get(name, ()), (row["step"], row["loss"])]
    steps = max(x for line in lines.values() for x, _ in line)
    top = max(y for line in lines.values() for _, y in line) * 1.05
    scale = (WIDTH - LEFT - RIGHT) / steps, (HEIGHT - TOP - BOTTOM) / top
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
        f'width="{WIDTH}" height="{HEIGHT}" font-family="sans-serif" font-size="12">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>',
        *_axes(steps, top, scale),
    ]
    for number, (name, line) in enumerate(lines.items()):
        colour = COLOURS[number % len(COLOURS)]
        places = [(LEFT + x * scale[0], HEIGHT - BOTTOM - y * scale[1]) for x, y in line]
        drawn = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
        parts.append(f'<polyline points="{drawn}" fill="none" stroke="{colour}" stroke-width="2"/>')
        if number:
            parts += [
                f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>' for x, y in places
            ]
        at = TOP + 12 + 18 * number
        label = f"{name} {line[-1][1]:.2f}"
        parts.append(
            f'<text x="{WIDTH - RIGHT + 12}" y="{at}" fill="{colour}">{escape(label)}</text>'
        )
    return "".join([*parts, "</svg>"])


def _axes(steps: float, top: float, scale: tuple[float, float]) -> Iterable[str]:
    bottom, right = HEIGHT - BOTTOM, WIDTH - RIGHT
    for number in range(5):
        value = top * number / 4
        y = bottom - value * scale[1]
        yield f'<line x1="{LEFT}" y1="{y:.1f}" x2="{right}" y2="{y:.1f}" stroke="#ddd"/>'
        yield f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{value:.1f}</text>'
    for number in range(5):
        step = round(steps * number / 4)
        x = LEFT + step * scale[0]
        yield f'<text x="{x:.1f}" y="{bottom + 16}" text-anchor="middle">{step}</text>'
    yield f'<text x="{right + 20}" y="{bottom + 16}">steps; nats a token</text>'


def _thinned(line: Line) -> Line:
    size = -(-len(line) // POINTS)
    parts = [line[at : at + size] for at in range(0, len(line), size)]
    return [(part[-1][0], sum(y for _, y in part) / len(part)) for part in parts]
