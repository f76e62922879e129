"""The soak as a picture: one small chart for each figure, in one SVG."""

from __future__ import annotations

from collections.abc import Sequence

import pygal
from pygal.style import CleanStyle

from ccbridge.lab.soak.samples import FIGURES

WIDTH, HEIGHT, COLUMNS = 460, 220, 2
#: so many points of a series are drawn; each is the largest of those that it stands for
POINTS = 150


def svg(samples: Sequence[dict[str, float]]) -> str:
    """The whole picture."""
    step = -(-len(samples) // POINTS)
    groups = [samples[start : start + step] for start in range(0, len(samples), step)]
    charts = []
    for number, figure in enumerate(FIGURES):
        chart = pygal.XY(
            title=f"{figure.name} [{figure.unit}]" if figure.unit else figure.name,
            x_title="minutes", width=WIDTH, height=HEIGHT, explicit_size=True, show_dots=False,
            show_legend=False, js=[], style=CleanStyle(title_font_size=13, label_font_size=9),
            include_x_axis=True, x_labels_major_count=6, show_minor_x_labels=False,
        )  # fmt: skip
        chart.add(
            figure.name, [(group[0]["t"] / 60, max(one[figure.name] for one in group)) for group in groups]
        )
        drawn = chart.render(is_unicode=True, disable_xml_declaration=True)
        row, column = divmod(number, COLUMNS)
        charts.append(drawn.replace("<svg ", f'<svg x="{column * WIDTH}" y="{row * HEIGHT}" ', 1))
    rows = -(-len(FIGURES) // COLUMNS)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{COLUMNS * WIDTH}" height="{rows * HEIGHT}">\n'
        + "\n".join(charts)
        + "\n</svg>\n"
    )
