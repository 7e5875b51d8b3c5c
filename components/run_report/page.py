"""Renders the page: one HTML file that needs nothing else."""

import functools
import os
import pathlib
from collections.abc import Iterator, Mapping
from typing import Any

import jinja2
from markupsafe import Markup

from emotion_pipeline.components.progress import format_secs
from emotion_pipeline.components.run_report.content import ReportContent
from emotion_pipeline.components.run_report.data_view import make_data_view
from emotion_pipeline.components.run_report.model_view import make_model_view
from emotion_pipeline.components.run_report.text import visible
from emotion_pipeline.components.write_file import write_whole

REPORT_FILE = "report.html"
RUN_TITLE = "Emotion pipeline: report of a run"

_TEMPLATES_DIR = pathlib.Path(__file__).parent / "templates"
_TEMPLATE = "report.html"
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


def write_report(content: ReportContent, path: str | os.PathLike) -> None:
    """Writes the page; whoever opens the path meanwhile finds the old one or the new one, whole.

    Args:
      content: What is known; sections without content are left out.
      path: The HTML file. Its folder is made if need be.
    """
    write_whole(path, render(content))


def copy_report(source: str | os.PathLike, path: str | os.PathLike) -> None:
    """Copies a page in the way that `write_report` writes one."""
    write_whole(path, pathlib.Path(source).read_bytes())


def render(content: ReportContent) -> str:
    """Returns the page as text; everything but the charts' SVG is escaped."""
    template = _environment().get_template(_TEMPLATE)
    return template.render(
        content=content,
        data=make_data_view(content.data),
        model=make_model_view(content.model) if content.model else None,
        settings=list(flatten(content.run.settings)) if content.run else [],
    )


def flatten(settings: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yields nested settings under dotted names, as `--set` takes them."""
    for key, value in settings.items():
        if isinstance(value, Mapping):
            yield from flatten(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _number(value: float | None) -> str:
    """Returns a number as people read it: `1,234`, `0.1235`, `12.3`."""
    if value is None:
        return ""
    if float(value).is_integer() and abs(value) < 1e15:
        return f"{int(value):,}"
    return f"{value:,.1f}" if abs(value) >= 100 else f"{value:.4g}"


def _percent(value: float) -> str:
    return f"{100 * value:.1f} %"


def _finalize(value: Any) -> Any:
    """Is applied to all that the template puts out, before it is escaped."""
    return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value


@functools.cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES_DIR),
        autoescape=True,
        finalize=_finalize,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(number=_number, percent=_percent, duration=format_secs)
    environment.globals["measures"] = _MEASURES
    environment.globals["style"] = Markup((_TEMPLATES_DIR / "report.css").read_text("utf-8"))
    return environment
