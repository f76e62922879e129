"""A flow as text and as a picture (SVG), from the steps alone."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

from ccbridge.core.flows import Flow, Menu, ways
from ccbridge.ivr.words import words

WIDTH, HEIGHT = 220, 54  # of a box, pixels
GAP_X, GAP_Y = 40, 70
MARGIN = 20
LINE = 34  # characters of a box's line
LONGEST = 160  # characters of a line of text


def as_text(flow: Flow) -> str:
    """Each step with the ways out of it, the first one first and every step once."""
    lines = [f"flow {flow.name}"]
    for name in ordered(flow):
        step = flow.steps[name]
        lines.append(f"  {name}: {_cut(words(step), LONGEST)}")
        for why, to in outward(flow, name):
            lines.append(f"    {_cut(why, 40)} -> {to}")
    return "\n".join(lines)


def ordered(flow: Flow) -> list[str]:
    """The steps as a caller may come to them, breadth first; those that nobody comes to at the end."""
    found = list(_layers(flow))
    return found + [name for name in flow.steps if name not in found]


def outward(flow: Flow, name: str) -> list[tuple[str, str]]:
    """(what leads there, step) of every way out of a step, the operator's key included."""
    step = flow.steps[name]
    found = list(ways(step))
    if isinstance(step, Menu):
        found += [(key, to) for key, to in flow.operator.items() if key not in step.choices]
        if step.repeat:
            found.append((step.repeat, name))
    return found


def as_svg(flow: Flow) -> str:
    """A picture: boxes in layers from the start downwards, an arrow for each way."""
    layers = _layers(flow)
    for name in ordered(flow):
        layers.setdefault(name, 0)
    columns: dict[int, int] = {}
    place: dict[str, tuple[int, int]] = {}
    for name, layer in layers.items():
        column = columns.get(layer, 0)
        columns[layer] = column + 1
        place[name] = (MARGIN + column * (WIDTH + GAP_X), MARGIN + layer * (HEIGHT + GAP_Y))
    width = max(x for x, _ in place.values()) + WIDTH + MARGIN + GAP_X
    height = max(y for _, y in place.values()) + HEIGHT + MARGIN + GAP_Y
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="12">',
        '<defs><marker id="end" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="8" markerHeight="8" '
        'orient="auto"><path d="M0 0L8 4L0 8z"/></marker></defs>',
        f"<title>{escape(flow.name)}</title>",
    ]
    for name in place:
        parts += _arrows(place, name, _joined(outward(flow, name)))
    parts += [_box(flow, name, *at) for name, at in place.items()]
    return "\n".join([*parts, "</svg>"]) + "\n"


def _layers(flow: Flow) -> dict[str, int]:
    """How many steps from the start each one is, in that order."""
    found = {flow.start: 0}
    todo = [flow.start]
    while todo:
        name = todo.pop(0)
        for _, to in outward(flow, name):
            if to not in found:
                found[to] = found[name] + 1
                todo.append(to)
    return found


def _joined(ways: list[tuple[str, str]]) -> Mapping[str, str]:
    """Step -> all that leads there."""
    found: dict[str, list[str]] = {}
    for why, to in ways:
        found.setdefault(to, []).append(why)
    return {to: ", ".join(whys) for to, whys in found.items()}


def _arrows(place: Mapping[str, tuple[int, int]], name: str, to: Mapping[str, str]) -> list[str]:
    x, y = place[name]
    parts = []
    for number, (target, why) in enumerate(to.items(), 1):
        tx, ty = place[target]
        sx = x + WIDTH * number // (len(to) + 1)
        if ty > y:  # downwards, from the lower edge to the upper one
            ex = tx + WIDTH // 2
            path = f"M{sx} {y + HEIGHT}C{sx} {y + HEIGHT + 35} {ex} {ty - 35} {ex} {ty}"
            at = (sx + 3, y + HEIGHT + 12 * number)
        else:  # back, around the right side
            side = max(x, tx) + WIDTH + 20
            path = f"M{x + WIDTH} {y + 30}C{side} {y + 30} {side} {ty + 12} {tx + WIDTH} {ty + 12}"
            at = (x + WIDTH + 3, y + HEIGHT + 10)
        parts.append(f'<path d="{path}" fill="none" stroke="#555" marker-end="url(#end)"/>')
        parts.append(f'<text x="{at[0]}" y="{at[1]}" fill="#555">{escape(_cut(why, 24))}</text>')
    return parts


def _box(flow: Flow, name: str, x: int, y: int) -> str:
    colour = "#cfe8cf" if not outward(flow, name) else "#fff3c4" if name == flow.start else "#e6eef8"
    said = words(flow.steps[name])
    return (
        f"<g><title>{escape(said)}</title>"
        f'<rect x="{x}" y="{y}" width="{WIDTH}" height="{HEIGHT}" rx="6" fill="{colour}" stroke="#333"/>'
        f'<text x="{x + 8}" y="{y + 20}" font-weight="bold">{escape(_cut(name, LINE))}</text>'
        f'<text x="{x + 8}" y="{y + 40}" unicode-bidi="plaintext">{escape(_cut(said, LINE))}</text></g>'
    )


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"
