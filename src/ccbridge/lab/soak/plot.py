"""The soak as a picture: one small chart for each figure, in one SVG."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from collections.abc import Sequence

from ccbridge.lab.soak.samples import FIGURES, Figure

WIDTH, HEIGHT, COLUMNS = 440, 150, 2
#: of a chart: what its words need
LEFT, RIGHT, TOP, BOTTOM = 46, 16, 28, 22
#: so many points of a series are drawn; each is the largest of those that it stands for
POINTS = 200


def svg(samples: Sequence[dict[str, float]]) -> str:
    """The whole picture."""
    rows = -(-len(FIGURES) // COLUMNS)
    size = {"width": str(COLUMNS * WIDTH), "height": str(rows * HEIGHT)}
    picture = ElementTree.Element("svg", {"xmlns": "http://www.w3.org/2000/svg", **size})
    picture.set("font-family", "sans-serif")
    picture.set("font-size", "10")
    ElementTree.SubElement(picture, "rect", {**size, "fill": "white"})
    step = -(-len(samples) // POINTS)
    groups = [samples[start : start + step] for start in range(0, len(samples), step)]
    for number, figure in enumerate(FIGURES):
        row, column = divmod(number, COLUMNS)
        chart = ElementTree.SubElement(picture, "g")
        chart.set("transform", f"translate({column * WIDTH} {row * HEIGHT})")
        _draw(
            chart, figure, [(group[0]["t"] / 60, max(one[figure.name] for one in group)) for group in groups]
        )
    ElementTree.indent(picture)
    return ElementTree.tostring(picture, encoding="unicode") + "\n"


def _draw(chart: ElementTree.Element, figure: Figure, points: list[tuple[float, float]]) -> None:
    """Minutes to the right, the figure upwards, from 0."""
    last, most = points[-1][0] or 1.0, max(value for _, value in points) or 1.0
    width, height = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM
    name = f"{figure.name} [{figure.unit}]" if figure.unit else figure.name
    for x, y, anchor, text in (
        (LEFT, TOP - 10, "start", name),
        (LEFT - 4, TOP + 8, "end", f"{most:.4g}"),
        (LEFT - 4, TOP + height, "end", "0"),
        (LEFT + width, HEIGHT - 8, "end", f"{last:.0f} min"),
    ):
        word = ElementTree.SubElement(chart, "text", {"x": str(x), "y": str(y), "text-anchor": anchor})
        word.text = text
    frame = {"x": str(LEFT), "y": str(TOP), "width": str(width), "height": str(height)}
    ElementTree.SubElement(chart, "rect", {**frame, "fill": "none", "stroke": "#bbb"})
    line = " ".join(f"{LEFT + width * t / last:.1f},{TOP + height * (1 - v / most):.1f}" for t, v in points)
    ElementTree.SubElement(chart, "polyline", {"points": line, "fill": "none", "stroke": "#06c"})
