"""Turns Matplotlib's figures into SVG that stands in a page and takes its colours from it."""

from __future__ import annotations

import contextlib
import io
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from markupsafe import Markup, escape

from emotion_pipeline.components.run_report.text import visible

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK = "#010201"
LINE = "#010301"
TRAIN = "#010401"
EVAL = "#010501"
_VARIABLES = {INK: "--ink", LINE: "--line", TRAIN: "--train", EVAL: "--eval"}
"""Colours that stand for the page's own, so that one chart serves light, dark and paper."""

WIDTH_IN = 4.8
HEIGHT_IN = 2.8
_FONT_PT = 10.5

_SETTINGS = {
    "axes.edgecolor": INK,
    "axes.facecolor": "none",
    "axes.labelcolor": INK,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "figure.facecolor": "none",
    "font.size": _FONT_PT,
    "grid.color": LINE,
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "legend.fontsize": _FONT_PT,
    "legend.labelcolor": INK,
    "svg.fonttype": "none",
    "text.color": INK,
    # A class may be called "$x$".
    "text.parse_math": False,
    "xtick.color": INK,
    "ytick.color": INK,
}

_METADATA = re.compile(r"<metadata>.*?</metadata>", re.DOTALL)
_HEADER = re.compile(r"\A.*?(?=<svg)", re.DOTALL)
_ID = re.compile(r'\sid="([^"]*)"')
_REFERENCE = re.compile(r'(?:xlink:href="|url\()#([^")]+)')
_SIZE = re.compile(r'(<svg[^>]*?)\swidth="[^"]*"', re.DOTALL)
_SVG_HEIGHT = re.compile(r'(<svg[^>]*?)\sheight="[^"]*"', re.DOTALL)


@contextlib.contextmanager
def chart(name: str, height_in: float = HEIGHT_IN) -> Iterator[tuple[Figure, Axes]]:
    """Gives a figure with one pair of axes, in the page's style; draw it and `to_svg` it inside.

    Args:
      name: Sets the ids of this chart apart from those of others on the page.
      height_in: Height in inches; the width is 4.8.
    """
    # Here, since every run imports this module and draws in its last seconds, if at all.
    import matplotlib
    from matplotlib.figure import Figure

    with matplotlib.rc_context({**_SETTINGS, "svg.hashsalt": name}):
        figure = Figure(figsize=(WIDTH_IN, height_in), layout="constrained")
        yield figure, figure.add_subplot()


def to_svg(figure: Figure, description: str) -> Markup:
    """Returns the figure as an `<svg>` element that scales with its box.

    Args:
      figure: Drawn inside of `chart`.
      description: What it shows, in words, for those who do not see it.
    """
    written = io.StringIO()
    figure.savefig(written, format="svg", metadata={"Date": None, "Creator": None})
    text = _HEADER.sub("", written.getvalue(), count=1)
    text = _METADATA.sub("", text)
    # Matplotlib numbers its groups anew in each figure; only what is referred to needs its name.
    referred = set(_REFERENCE.findall(text))
    text = _ID.sub(lambda match: match.group(0) if match.group(1) in referred else "", text)
    text = _SVG_HEIGHT.sub(r"\1", _SIZE.sub(r"\1", text, count=1), count=1)
    for colour, variable in _VARIABLES.items():
        text = text.replace(colour, f"var({variable})")
    label = f'<svg role="img" aria-label="{escape(visible(description))}"'
    return Markup(text.replace("<svg", label, 1))
