"""The networks layer by layer, as `emotion_pipeline.modules` builds them with Keras.

A change of a layer there is one here; `tests/pipeline/test_onnx_model.py` holds the two to each other.
"""

from collections.abc import Callable

from emotion_pipeline.onnx_model.graph import Graph

_LAST_LAYER = "probabilities"


def add_network(graph: Graph, name: str, pixels: str) -> str:
    """Adds a network in inference mode, without its softmax.

    Args:
      graph: With the network's weights.
      name: `specified` or `deep`.
      pixels: `[N, 1, 48, 48]` float32 in [0, 1], their light normalised.

    Returns:
      `[N, C]` float32, logarithms of the probabilities but for a constant.

    Raises:
      KeyError: There is no network of that name.
    """
    return _NETWORKS[name](graph, pixels)


def _specified(graph: Graph, x: str) -> str:
    for number in ("", "_1"):
        x = graph.relu(graph.convolution(x, f"conv2d{number}"))
        x = graph.halve(graph.batch_normalization(x, f"batch_normalization{number}"))
    x = graph.relu(graph.dense(graph.flatten(x), "dense", shape=(10, 10, 128)))
    x = graph.relu(graph.dense(x, "dense_1"))
    return graph.dense(x, _LAST_LAYER)


def _deep(graph: Graph, x: str) -> str:
    def convolution(x: str, number: int, padding_px: int = 1) -> str:
        suffix = f"_{number}" if number else ""
        x = graph.convolution(x, f"conv2d{suffix}", padding_px)
        return graph.batch_normalization(x, f"batch_normalization{suffix}")

    x = graph.halve(graph.relu(convolution(x, 0)))
    for first in (1, 4, 7):
        inner = convolution(graph.relu(convolution(x, first)), first + 1)
        short_cut = convolution(x, first + 2, padding_px=0)
        x = graph.halve(graph.relu(graph.add("Add", short_cut, inner)))
    x = graph.relu(convolution(x, 10))
    return graph.dense(graph.flatten(graph.add("GlobalAveragePool", x)), _LAST_LAYER)


_NETWORKS: dict[str, Callable[[Graph, str], str]] = {"specified": _specified, "deep": _deep}
