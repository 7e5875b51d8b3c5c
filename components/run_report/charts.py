"""The charts of the page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from markupsafe import Markup

from emotion_pipeline.components.calibration import ReliabilityBin
from emotion_pipeline.components.constants import EVAL_SPLIT, TEST_SPLIT, TRAIN_SPLIT
from emotion_pipeline.components.counted import counted
from emotion_pipeline.components.run_report.intervals import Interval
from emotion_pipeline.components.run_report.statistics import SplitStatistics
from emotion_pipeline.components.run_report.svg import EVAL, INK, LINE, TRAIN, chart, to_svg
from emotion_pipeline.components.run_report.text import visible

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_COLOURS = {TRAIN_SPLIT: TRAIN, EVAL_SPLIT: EVAL, TEST_SPLIT: INK}
_STYLES = {TRAIN_SPLIT: "-", EVAL_SPLIT: "--", TEST_SPLIT: ":"}
_RUN_STYLES = ("--", ":", "-.")
_SMALL_PT = 9
_NAME_HEIGHT = 0.065  # of the axes'
_MAX_NAME = 22
_ROW_IN = 0.42
_AXIS_IN = 0.75


def class_counts_chart(
    labels: Sequence[str], kept: Mapping[str, Sequence[int]], balanced: Sequence[int] | None
) -> Markup:
    """Draws the images of each class: per split what was kept, and train after balancing."""
    groups: list[tuple[str, Sequence[int], dict]] = []
    if balanced is not None:
        groups.append(("train, balanced", balanced, {"color": TRAIN, "alpha": 0.35}))
    groups += [
        (split, counts, {"color": _COLOURS[split]}) for split, counts in kept.items() if any(counts)
    ]
    with chart("class-counts", _AXIS_IN + _ROW_IN * len(labels)) as (figure, axes):
        _grouped_bars(axes, labels, groups)
        axes.set_xlabel("images")
        _ticks(axes, 5, integer=True)
        figure.legend(loc="outside upper left", ncols=3)
        return to_svg(figure, "Bars: images of each class; the table beside has the numbers")


def feature_chart(name: str, splits: Mapping[str, SplitStatistics]) -> Markup | None:
    """Draws the distribution of a feature, train against eval; None where there is nothing to draw."""
    if any(one.histogram for one in splits.values()):
        return _histograms(name, splits)
    if any(0 < (one.unique or 0) <= len(one.values) for one in splits.values()):
        return _shares(name, splits)
    return None


def _histograms(name: str, splits: Mapping[str, SplitStatistics]) -> Markup:
    with chart(f"feature-{name}", 2.4) as (figure, axes):
        for split, one in splits.items():
            if one.histogram:
                colour = _COLOURS.get(split, INK)
                edges, densities = one.histogram.edges, one.histogram.densities
                if split == TRAIN_SPLIT:
                    axes.stairs(densities, edges, fill=True, color=colour, alpha=0.3, linewidth=0)
                style = _STYLES.get(split, ":")
                axes.stairs(
                    densities, edges, color=colour, linestyle=style, linewidth=1.6, label=split
                )
        axes.set_yticks([])
        axes.spines["left"].set_visible(False)
        axes.grid(visible=False)
        axes.set(xlabel=visible(name).replace("_", " "), ylabel="density of images")
        _ticks(axes, 6)
        figure.legend(loc="outside upper left", ncols=2)
        return to_svg(figure, f"Histogram of {name}, {' against '.join(splits)}")


def _shares(name: str, splits: Mapping[str, SplitStatistics]) -> Markup:
    shares = {split: dict(one.values) for split, one in splits.items()}
    values = sorted({value for one in shares.values() for value in one})
    groups = [
        (split, [shares[split].get(value, 0.0) for value in values], {"color": _COLOURS[split]})
        for split in shares
    ]
    with chart(f"feature-{name}", _AXIS_IN + 0.9 * _ROW_IN * len(values)) as (figure, axes):
        _grouped_bars(axes, values, groups)
        axes.xaxis.set_major_formatter("{x:.0%}")
        axes.set_xlabel("share of the images")
        figure.legend(loc="outside upper left", ncols=2)
        return to_svg(figure, f"Bars: share of each value of {name}, {' against '.join(splits)}")


def learning_curve(
    metric: str, train: Sequence[float], validation: Sequence[float], best_epoch: int
) -> Markup:
    """Draws a metric over the epochs; `best_epoch` is counted from 0."""
    epochs = np.arange(1, len(train) + 1)
    marker = "o" if len(epochs) < 30 else None
    with chart(f"curve-{metric}") as (figure, axes):
        axes.plot(epochs, train, color=TRAIN, marker=marker, markersize=4, label="train")
        axes.plot(
            epochs, validation, color=EVAL, ls="--", marker=marker, markersize=4, label="validation"
        )
        axes.fill_between(epochs, train, validation, color=LINE, alpha=0.35, linewidth=0)
        axes.axvline(best_epoch + 1, color=INK, linestyle=":", linewidth=1, label="best epoch")
        axes.set_xlabel("epoch")
        axes.set_ylabel(metric)
        _ticks(axes, 8, integer=True)
        if len(epochs) == 1:
            axes.set_xticks(epochs)
        figure.legend(loc="outside upper left", ncols=3)
        return to_svg(
            figure,
            f"Learning curve: {metric} after {counted(len(train), 'epoch')} is {train[-1]:.3f} in training "
            f"and {validation[-1]:.3f} on validation; the best epoch is {best_epoch + 1}",
        )


def reliability_diagram(bins: Sequence[ReliabilityBin]) -> Markup:
    """Draws accuracy over confidence, with the diagonal of a model that is as good as it says."""
    filled = [one for one in bins if one.count]
    width = bins[0].high - bins[0].low
    with chart("reliability", 3.6) as (figure, axes):
        axes.plot([0, 1], [0, 1], color=INK, linestyle=":", label="as good as it says")
        axes.bar(
            [one.low for one in filled],
            [one.accuracy for one in filled],
            width,
            align="edge",
            color=EVAL,
            alpha=0.45,
            edgecolor=EVAL,
            label="accuracy",
        )
        total = sum(one.count for one in filled)
        axes.plot(
            [(one.low + one.high) / 2 for one in filled],
            [one.count / total for one in filled],
            color=TRAIN,
            marker="o",
            markersize=4,
            label="share of the images",
        )
        axes.set(xlim=(0, 1), ylim=(0, 1), xlabel="confidence", ylabel="accuracy, share")
        figure.legend(loc="outside upper left", ncols=2)
        return to_svg(figure, "Reliability diagram; the table beside has the numbers")


def recall_chart(scores: Sequence[tuple[str, float, Interval]]) -> Markup:
    """Draws the recall of each class with its interval."""
    labels, recalls, intervals = zip(*scores, strict=True)
    errors = [
        [max(recall - one.low, 0.0) for recall, one in zip(recalls, intervals, strict=True)],
        [max(one.high - recall, 0.0) for recall, one in zip(recalls, intervals, strict=True)],
    ]
    with chart("recall", _AXIS_IN + 0.8 * _ROW_IN * len(labels)) as (figure, axes):
        rows = np.arange(len(labels))
        axes.barh(rows, recalls, 0.6, color=EVAL, alpha=0.45)
        axes.errorbar(recalls, rows, xerr=errors, fmt="none", ecolor=INK, capsize=3, linewidth=1.2)
        _name_rows(axes, labels)
        axes.set(xlim=(0, 1), xlabel="recall, with its 95 % interval")
        return to_svg(figure, "Bars: recall of each class; the table beside has the numbers")


def runs_curves(runs: Sequence[tuple[int, Sequence[float]]]) -> Markup:
    """Draws the validation accuracy over the epochs of runs, each by its number; the last is thick."""
    ends: dict[tuple[int, float], list[int]] = {}
    with chart("runs-curves", 3.2) as (figure, axes):
        for place, (number, accuracies) in enumerate(runs):
            is_last = place == len(runs) - 1
            epochs = np.arange(1, len(accuracies) + 1)
            axes.plot(
                epochs,
                accuracies,
                color=EVAL if is_last else TRAIN,
                linestyle=_RUN_STYLES[place % len(_RUN_STYLES)] if not is_last else "-",
                linewidth=2.4 if is_last else 1.3,
                marker="o" if len(epochs) < 30 else None,
                markersize=3,
            )
            ends.setdefault((len(epochs), round(accuracies[-1], 2)), []).append(number)
        axes.set(xlabel="epoch", ylabel="validation accuracy")
        axes.margins(y=0.12)
        _name_ends(axes, ends)
        _ticks(axes, 8, integer=True)
        return to_svg(figure, "Validation accuracy over the epochs of each run")


def _name_ends(axes: Axes, ends: Mapping[tuple[int, float], Sequence[int]]) -> None:
    """Names runs by their last `(epoch, accuracy)`: a legend of many lines is read by colour alone.

    The names stand one above the other beside the axes, where no line runs through them, and a thin line leads from
    each to its end.
    """
    low, high = axes.get_ylim()
    in_order = sorted(ends.items(), key=lambda one: one[0][1])
    place = -_NAME_HEIGHT
    for number, ((epoch, accuracy), runs) in enumerate(in_order, start=1):
        highest = 1 - (len(in_order) - number) * _NAME_HEIGHT  # leaves room for those above
        place = max(min((accuracy - low) / (high - low), highest), place + _NAME_HEIGHT)
        axes.annotate(
            f"run{'s' * (len(runs) > 1)} {', '.join(map(str, runs))}",
            (epoch, accuracy),
            (1.03, place),
            textcoords="axes fraction",
            va="center",
            fontsize=_SMALL_PT,
            arrowprops={"arrowstyle": "-", "color": INK, "linewidth": 0.5, "alpha": 0.5},
        )


def runs_accuracy(runs: Sequence[tuple[int, float, Interval]]) -> Markup:
    """Draws the accuracy of runs with its interval, in their order."""
    numbers, accuracies, intervals = zip(*runs, strict=True)
    errors = [
        [max(value - one.low, 0.0) for value, one in zip(accuracies, intervals, strict=True)],
        [max(one.high - value, 0.0) for value, one in zip(accuracies, intervals, strict=True)],
    ]
    with chart("runs-accuracy", 3.2) as (figure, axes):
        places = np.arange(len(numbers))
        axes.errorbar(
            places,
            accuracies,
            yerr=errors,
            fmt="o",
            color=EVAL,
            ecolor=INK,
            capsize=3,
            linewidth=1.2,
        )
        axes.set_xticks(places, [str(number) for number in numbers])
        axes.set(xlabel="run", ylabel="accuracy, with its 95 % interval")
        axes.margins(x=0.1)
        return to_svg(figure, "Accuracy of each run with its interval; the table has the numbers")


def _grouped_bars(
    axes: Axes, labels: Sequence[str], groups: Sequence[tuple[str, Sequence[float], dict]]
) -> None:
    height = 0.8 / max(len(groups), 1)
    rows = np.arange(len(labels))
    for number, (name, values, style) in enumerate(groups):
        axes.barh(rows - 0.4 + height * (number + 0.5), values, height * 0.9, label=name, **style)
    _name_rows(axes, labels)


def _name_rows(axes: Axes, labels: Sequence[str]) -> None:
    """Writes the names beside the rows, the first on top."""
    shown = [visible(label) for label in labels]
    names = [one if len(one) <= _MAX_NAME else one[: _MAX_NAME - 1] + "…" for one in shown]
    axes.set_yticks(np.arange(len(labels)), names)
    axes.invert_yaxis()
    axes.grid(visible=False, axis="y")
    axes.tick_params(axis="y", length=0)


def _ticks(axes: Axes, at_most: int, integer: bool = False) -> None:
    from matplotlib.ticker import MaxNLocator

    axes.xaxis.set_major_locator(MaxNLocator(at_most, integer=integer))
