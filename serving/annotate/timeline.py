"""How the emotions of a film's faces go over time, as a picture."""

from __future__ import annotations

import importlib.util
import pathlib
from collections.abc import Sequence

import numpy as np

from emotion_faces.annotate.draw import colour_of
from emotion_faces.annotate.faces import FaceEmotion

_MAX_POINTS = 300


class Timeline:
    """Sums the probabilities of all faces by second, so that memory grows by a row a second."""

    def __init__(self, labels: Sequence[str]):
        self._labels = labels
        # By second, and not a row for each: a film's time stamps may leave out years.
        self._sums: dict[int, np.ndarray] = {}
        self._counts: dict[int, int] = {}
        self._seconds = 0

    def add(self, faces: Sequence[FaceEmotion], seconds: float) -> None:
        """Adds an analysed frame's faces."""
        second = int(seconds)
        self._seconds = max(self._seconds, second + 1)
        for face in faces:
            probabilities = np.array([face.probabilities[label] for label in self._labels])
            self._sums[second] = self._sums.get(second, 0.0) + probabilities
            self._counts[second] = self._counts.get(second, 0) + 1

    def means(self) -> tuple[np.ndarray, np.ndarray]:
        """Returns the seconds at which spans begin [n], and the mean probabilities in them, [n, labels].

        Spans are a second long, or longer so that there are 300 at most; NaN where no face was.
        """
        span = -(-self._seconds // _MAX_POINTS) or 1
        starts = np.arange(0, self._seconds, span)
        sums = np.zeros((len(starts), len(self._labels)))
        counts = np.zeros(len(starts))
        for second, total in self._sums.items():
            sums[second // span] += total
            counts[second // span] += self._counts[second]
        counts[counts == 0] = np.nan
        return starts, sums / counts[:, None]

    def save(self, path: pathlib.Path, title: str) -> str:
        """Draws the means as lines, the dominant emotion as a band below; returns why not, or nothing."""
        starts, means = self.means()
        seen = ~np.isnan(means).any(axis=1)
        if not seen.any():
            return "no face was found"
        if importlib.util.find_spec("matplotlib") is None:
            return "no plot is drawn: pip install 'emotion-faces[plot]'"
        # The object interface: pyplot would keep the figure and choose a backend for the process.
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure

        figure = Figure(figsize=(10, 4.5), layout="constrained")
        FigureCanvasAgg(figure)
        lines, band = figure.subplots(2, 1, sharex=True, height_ratios=(6, 1))
        span = starts[1] - starts[0] if len(starts) > 1 else 1
        for index, label in enumerate(self._labels):
            colour = np.array(colour_of(index)) / 255 * 0.85  # darker: yellow on white
            heights = np.append(means[:, index], means[-1, index])  # the last span has an end too
            lines.step(
                np.append(starts, starts[-1] + span),
                heights,
                where="post",
                label=label,
                color=colour,
            )
            dominant = seen & (np.nan_to_num(means).argmax(axis=1) == index)
            band.bar(starts[dominant], 1, width=span, align="edge", color=colour)
        lines.set(ylim=(0, 1), ylabel="mean probability")
        lines.set_title(title, parse_math=False)  # a file's name may hold dollars
        lines.legend(loc="center left", bbox_to_anchor=(1, 0.5), frameon=False)
        lines.grid(alpha=0.3)
        band.set(
            xlabel="seconds", ylabel="dominant", yticks=[], ylim=(0, 1), xlim=(0, starts[-1] + span)
        )
        figure.savefig(path, dpi=110)
        return ""
