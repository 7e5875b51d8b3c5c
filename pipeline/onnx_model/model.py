"""The whole served model as one ONNX file."""

import json
from collections.abc import Mapping, Sequence

import numpy as np
import onnx

from emotion_pipeline.components.calibration import LEAST_PROBABILITY
from emotion_pipeline.components.constants import IMAGE_SIZE_PX
from emotion_pipeline.onnx_model.graph import Graph
from emotion_pipeline.onnx_model.light import add_normalize
from emotion_pipeline.onnx_model.networks import add_network


def make_onnx(
    weights: Mapping[str, np.ndarray],
    class_names: Sequence[str],
    network: str,
    normalize: str,
    flip: bool,
    temperature: float = 1.0,
) -> bytes:
    """Returns a file that answers as the SavedModel's signature `pixels` does.

    Its input `pixels` is `[N, 48, 48, 1]` float32 in [0, 1], its output `probabilities` `[N, C]` float32. The
    light's normalisation, the mean over mirror images and the temperature are in the graph; the metadata say so.

    Args:
      weights: Arrays by `layer/variable`, as `emotion_pipeline.shipped.weights.pack` takes them.
      class_names: The C names in the order of the outputs.
      network: `specified` or `deep`.
      normalize: What is done to the light of each picture: `none`, `equalize` or `standardize`.
      flip: Whether an answer is the mean over the image and its mirror image.
      temperature: The logarithms of the answer are divided by it.

    Raises:
      KeyError: There is no such network or method, or a layer's weights are missing.
      ValueError: There are weights of layers that the network has not.
    """
    graph = Graph(weights)
    num_pixels = IMAGE_SIZE_PX * IMAGE_SIZE_PX
    planes = graph.constant([-1, 1, IMAGE_SIZE_PX, IMAGE_SIZE_PX], np.int64)
    x = graph.add("Reshape", "pixels", graph.constant([-1, num_pixels], np.int64))
    x = graph.add("Reshape", add_normalize(graph, x, normalize, num_pixels), planes)
    if flip:
        x = graph.add("Concat", x, _mirror(graph, x), axis=0)
    x = graph.add("Softmax", add_network(graph, network, x), axis=-1)
    if flip:
        halves = graph.constant([2, -1, len(class_names)], np.int64)
        x = graph.add("Reshape", x, halves)
        x = graph.add("ReduceMean", x, graph.constant([0], np.int64), keepdims=0)
    if temperature != 1.0:
        logits = graph.add("Log", graph.add("Max", x, graph.constant(LEAST_PROBABILITY)))
        x = graph.add("Softmax", graph.add("Div", logits, graph.constant(temperature)), axis=-1)
    metadata = {
        "labels": json.dumps(list(class_names)),
        "network": network,
        "normalize": normalize,
        "flip": json.dumps(flip),
        "temperature": json.dumps(temperature),
        "in_graph": "normalize, flip, temperature",
    }
    describe = onnx.helper.make_tensor_value_info
    shape: list[str | int | None] = ["N", IMAGE_SIZE_PX, IMAGE_SIZE_PX, 1]
    pixels = describe("pixels", onnx.TensorProto.FLOAT, shape)
    answer = describe("probabilities", onnx.TensorProto.FLOAT, ["N", len(class_names)])
    return graph.finish(x, pixels, answer, metadata)


def _mirror(graph: Graph, x: str) -> str:
    backwards = [graph.constant([value], np.int64) for value in (-1, -IMAGE_SIZE_PX - 1, 3, -1)]
    return graph.add("Slice", x, *backwards)
