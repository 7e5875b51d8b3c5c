"""Renders the pages: HTML files that need nothing else, and the model's card."""

import base64
import functools
import hashlib
import os
import pathlib
import urllib.parse
from collections.abc import Sequence
from typing import Any

import jinja2
from markupsafe import Markup

from emotion_pipeline.components.counted import counted, first_few
from emotion_pipeline.components.progress import format_secs
from emotion_pipeline.components.run_report import uses
from emotion_pipeline.components.run_report.changes_view import make_changes_view
from emotion_pipeline.components.run_report.content import ReportContent
from emotion_pipeline.components.run_report.data_view import make_data_view
from emotion_pipeline.components.run_report.history import shown
from emotion_pipeline.components.run_report.mistakes import FEW_POINTS
from emotion_pipeline.components.run_report.model_view import make_model_view
from emotion_pipeline.components.run_report.record import RunRecord
from emotion_pipeline.components.run_report.runs_view import make_runs_view
from emotion_pipeline.components.run_report.settings_view import (
    learning_conditions,
    make_settings_view,
)
from emotion_pipeline.components.run_report.text import breakable, visible
from emotion_pipeline.components.write_file import write_whole

CARD_FILE = "card.md"

_TEMPLATES_DIR = pathlib.Path(__file__).parent / "templates"
_PAGE = "report.html"
_CARD = "card.md"
_RUNS = "runs.html"
_MEASURES = (
    ("count", "images"),
    ("missing", "missing"),
    ("mean", "mean"),
    ("std_dev", "standard deviation"),
    ("min", "minimum"),
    ("median", "median"),
    ("max", "maximum"),
    ("unique", "different values"),
)
"""Fields of SplitStatistics that are shown, with their names."""

_MEASURE_NAMES = {
    "brightness": "brightness, the mean gray from 0 to 1",
    "contrast": "contrast, the standard deviation of the gray",
    "sharpness": "sharpness, the variance of the Laplacian",
}

_DISTANCES = {
    "L_INFTY": "largest difference of a share",
    "JENSEN_SHANNON_DIVERGENCE": "Jensen-Shannon divergence, in bits",
}
"""Distances of the drift, by TFDV's names."""


def write_report(
    content: ReportContent, path: str | os.PathLike, root: str | os.PathLike | None = None
) -> None:
    """Writes the page; whoever opens the path meanwhile finds the old one or the new one, whole.

    Args:
      content: What is known; sections without content are left out.
      path: The HTML file. Its folder is made if need be.
      root: The folder that the paths of the content's links are relative to; the page's own if not given.
    """
    folder = pathlib.Path(path).parent
    write_whole(path, render(content, _way(folder, root or folder)))


def place_report(
    source: str | os.PathLike, path: str | os.PathLike, root: str | os.PathLike
) -> None:
    """Copies a page that `write_report` wrote, so that its links lead to the same files from there.

    Args:
      source: The page.
      path: Where to.
      root: As `write_report` had it.
    """
    text = pathlib.Path(source).read_text(encoding="utf-8")
    before, after = (_way(pathlib.Path(one).parent, root) for one in (source, path))
    write_whole(path, text.replace(f'{_LINK}"{before}', f'{_LINK}"{after}'))


def take_links_off(path: str | os.PathLike) -> None:
    """Leaves a page that `write_report` wrote without links, for where they would lead nowhere."""
    text = pathlib.Path(path).read_text(encoding="utf-8")
    before, found, rest = text.partition(_LINKS)
    if found:
        write_whole(path, before + rest.partition("</ul>\n")[2])


_LINKS = '<ul class="links"'
"""Begins the list of the links."""

_LINK = "<a data-root href="
"""Begins a link to a file beside the page."""


def _way(folder: pathlib.Path, root: str | os.PathLike) -> str:
    """Returns the beginning of the links in a page of a folder: the way to the root, with a slash."""
    return urllib.parse.quote(pathlib.Path(os.path.relpath(root, folder)).as_posix()) + "/"


def render(content: ReportContent, way: str = "./") -> str:
    """Returns the page as HTML.

    Args:
      content: What is known.
      way: From the page's folder to the one that its links are relative to, quoted, with a slash.
    """
    data = make_data_view(content.data)
    return (
        _environment()
        .get_template(_PAGE)
        .render(
            content=content,
            data=data,
            model=make_model_view(content.model, content.data.manifest) if content.model else None,
            changes=make_changes_view(content.changes, content.data.manifest)
            if content.changes
            else None,
            settings=make_settings_view(content.run) if content.run else None,
            conditions=learning_conditions(content.run.settings) if content.run else [],
            way=way,
        )
    )


def write_card(content: ReportContent, path: str | os.PathLike) -> None:
    """Writes the card of the content's model, in Markdown.

    Raises:
      ValueError: The content has no model.
    """
    if content.model is None:
        raise ValueError("content.model: is None; there is a card of a model alone")
    write_whole(
        path,
        _environment(autoescape=False)
        .get_template(_CARD)
        .render(
            content=content,
            model=make_model_view(content.model, content.data.manifest, is_drawn=False),
            settings=make_settings_view(content.run) if content.run else None,
        ),
    )


def write_runs(
    records: Sequence[RunRecord],
    title: str,
    served: int | None,
    path: str | os.PathLike,
    damaged: Sequence[int] = (),
) -> None:
    """Writes the page over the runs of a root.

    Args:
      records: Of the runs, the first run first.
      title: Of the page.
      served: The version that is served; None where nothing is.
      path: The HTML file, in the folder that holds the folders of the runs.
      damaged: The numbers of the runs whose record cannot be read.
    """
    view = make_runs_view(records, served)
    page = _environment().get_template(_RUNS).render(title=title, runs=view, damaged=damaged)
    write_whole(path, page)


def _number(value: float | None) -> str:
    """Returns a number as people read it: `1,234`, `0.1235`, `12.3`."""
    if value is None:
        return ""
    if value != value:
        return "none"
    if float(value).is_integer() and abs(value) < 1e15:
        return f"{int(value):,}"
    return f"{value:,.1f}" if abs(value) >= 100 else f"{value:.4g}"


def _short(value: float) -> str:
    """Returns a measure in about three digits: `1,270`, `0.135`."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _percent(value: float) -> str:
    return f"{100 * value:.1f} %"


def _finalize(value: Any) -> Any:
    """Is applied to all that the template puts out, before it is escaped."""
    return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value


@functools.cache
def _environment(autoescape: bool = True) -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES_DIR),
        autoescape=autoescape,
        finalize=_finalize,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        number=_number, counted=counted, short=_short, percent=_percent, duration=format_secs, breakable=breakable,
        quoted=urllib.parse.quote,
        value=shown, few=first_few,
    )  # fmt: skip
    script = (_TEMPLATES_DIR / "report.js").read_text("utf-8")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii")
    environment.globals.update(
        measures=_MEASURES,
        measure_names=_MEASURE_NAMES,
        distances=_DISTANCES,
        uses=uses,
        few_points=FEW_POINTS,
        style=Markup((_TEMPLATES_DIR / "report.css").read_text("utf-8")),
        script=Markup(script),
        script_hash=f"sha256-{digest}",
    )
    return environment
