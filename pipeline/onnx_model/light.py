"""What is done to a picture's light before the network, as `emotion_pipeline.modules.normalize` does it."""

import numpy as np
import onnx

from emotion_pipeline.onnx_model.graph import Graph

_LEVELS = 256
_DEVIATION = 0.25
_LEAST_VARIANCE = 1e-6


def add_normalize(graph: Graph, pixels: str, method: str, num_pixels: int) -> str:
    """Brings the light of each picture to one scale.

    Args:
      graph: To add to.
      pixels: `[N, num_pixels]` float32 in [0, 1].
      method: `none`, `equalize` or `standardize`.
      num_pixels: Of a picture.

    Returns:
      A batch of the same shape and range.

    Raises:
      KeyError: There is no such method.
    """
    methods = {"none": _leave, "equalize": _equalize, "standardize": _standardize}
    return methods[method](graph, pixels, num_pixels)


def _leave(graph: Graph, pixels: str, num_pixels: int) -> str:
    return pixels


def _equalize(graph: Graph, pixels: str, num_pixels: int) -> str:
    def constant(value: float) -> str:
        return graph.constant(value)

    white = constant(_LEVELS - 1)
    total = constant(num_pixels)
    inside = graph.add("Clip", pixels, constant(0), constant(1))
    levels = graph.add("Round", graph.add("Mul", inside, white))
    levels = graph.add("Cast", levels, to=onnx.TensorProto.INT64)
    # Of each picture, how many pixels have each level: ones are added up at the levels' places.
    ones = graph.add("Add", graph.add("Mul", pixels, constant(0)), constant(1))
    pictures = graph.add("Shape", pixels, start=0, end=1)
    shape = graph.add("Concat", pictures, graph.constant([_LEVELS], np.int64), axis=0)
    none = graph.add("Expand", constant(0), shape)
    counts = graph.add("ScatterElements", none, levels, ones, axis=1, reduction="add")
    at_most = graph.add("CumSum", counts, graph.constant(1, np.int64))
    # The pixels of the lowest level that is there become black.
    there = graph.add("Where", graph.add("Greater", at_most, constant(0)), at_most, total)
    lowest = graph.add("ReduceMin", there, graph.constant([1], np.int64), keepdims=1)
    above = graph.add("Max", graph.add("Sub", total, lowest), constant(1))
    share = graph.add("Div", graph.add("Sub", at_most, lowest), above)
    spread = graph.add("Round", graph.add("Mul", share, white))
    as_it_is = graph.constant(np.arange(_LEVELS)[np.newaxis])
    table = graph.add("Where", graph.add("Less", lowest, total), spread, as_it_is)
    return graph.add("GatherElements", graph.add("Div", table, white), levels, axis=1)


def _standardize(graph: Graph, pixels: str, num_pixels: int) -> str:
    axis = graph.constant([1], np.int64)
    mean = graph.add("ReduceMean", pixels, axis, keepdims=1)
    apart = graph.add("Sub", pixels, mean)
    variance = graph.add("ReduceMean", graph.add("Mul", apart, apart), axis, keepdims=1)
    bounded = graph.add("Max", variance, graph.constant(_LEAST_VARIANCE))
    scale = graph.add("Div", graph.constant(_DEVIATION), graph.add("Sqrt", bounded))
    centred = graph.add("Add", graph.add("Mul", apart, scale), graph.constant(0.5))
    return graph.add("Clip", centred, graph.constant(0), graph.constant(1))
