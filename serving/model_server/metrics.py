"""The counters and latencies that TensorFlow Serving exports to Prometheus, by its names.

The text is written here: prometheus_client adds `_total`, `_created` and `# HELP` lines, which
TensorFlow Serving's page has not and which dashboards made for it do not expect.
"""

from __future__ import annotations

import bisect
import threading

DEFAULT_PATH = "/monitoring/prometheus/metrics"
_PREFIX = ":tensorflow:serving:"
_BUCKET_LIMITS = tuple(10 * 1.8**power for power in range(33))  # microseconds
_MOST_LABEL_SETS = 1000
"""Requests name the model, so that a caller could make up any number of label values."""

Labels = tuple[tuple[str, str], ...]


class _Histogram:
    def __init__(self) -> None:
        self.counts = [0] * (len(_BUCKET_LIMITS) + 1)
        self.total = 0.0

    def add(self, value: float) -> None:
        self.counts[bisect.bisect_right(_BUCKET_LIMITS, value)] += 1
        self.total += value


class Metrics:
    """Counts calls and their times; safe from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counters: dict[Labels, int] = {}
        self._request_latency: dict[Labels, _Histogram] = {}
        self._runtime_latency: dict[Labels, _Histogram] = {}

    def count_request(self, model_name: str, code_name: str) -> None:
        """Counts a call, whatever came of it."""
        labels = (("model_name", model_name), ("status", code_name))
        with self._lock:
            if labels not in self._counters and len(self._counters) >= _MOST_LABEL_SETS:
                labels = (("model_name", "other"), ("status", code_name))
            self._counters[labels] = self._counters.get(labels, 0) + 1

    def add_request_latency(
        self, model_name: str, api: str, entrypoint: str, seconds: float
    ) -> None:
        """Records the time of a call that succeeded."""
        labels = (("model_name", model_name), ("API", api), ("entrypoint", entrypoint))
        with self._lock:
            self._request_latency.setdefault(labels, _Histogram()).add(seconds * 1e6)

    def add_runtime_latency(self, model_name: str, api: str, seconds: float) -> None:
        """Records the time that a call spent in the model, its wait for a run included."""
        labels = (("model_name", model_name), ("API", api), ("runtime", "TF1"))
        with self._lock:
            self._runtime_latency.setdefault(labels, _Histogram()).add(seconds * 1e6)

    def page(self) -> str:
        """All metrics in Prometheus' text format."""
        with self._lock:
            lines = [f"# TYPE {_PREFIX}request_count counter"]
            for labels, count in self._counters.items():
                lines.append(f"{_PREFIX}request_count{{{_labels(labels)}}} {count}")
            lines += _histogram_lines("request_latency", self._request_latency)
            lines += _histogram_lines("runtime_latency", self._runtime_latency)
        return "\n".join(lines) + "\n"


def _histogram_lines(name: str, histograms: dict[Labels, _Histogram]) -> list[str]:
    lines = [f"# TYPE {_PREFIX}{name} histogram"]
    limits = [*(f"{limit:g}" for limit in _BUCKET_LIMITS), "+Inf"]
    for labels, histogram in histograms.items():
        text, running = _labels(labels), 0
        for limit, count in zip(limits, histogram.counts, strict=True):
            running += count
            lines.append(f'{_PREFIX}{name}_bucket{{{text},le="{limit}"}} {running}')
        lines.append(f"{_PREFIX}{name}_sum{{{text}}} {histogram.total:g}")
        lines.append(f"{_PREFIX}{name}_count{{{text}}} {running}")
    return lines


def _labels(labels: Labels) -> str:
    return ",".join(f'{name}="{_escaped(value)}"' for name, value in labels)


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
