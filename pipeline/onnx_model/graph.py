"""A small builder of ONNX graphs: each method adds a node and returns the name of what comes out of it."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx

OPSET = 18
"""Version of the operators; ONNX Runtime knows it since 1.14."""

_IR_VERSION = 8
"""Version of the file's format that belongs to it."""

_BATCH_NORM_EPSILON = 1e-3
"""Keras's own, which the networks leave as it is."""


class Graph:
    """A graph under construction.

    Args:
      weights: A network's arrays by `layer/variable`, as `emotion_pipeline.shipped.weights` has them.
    """

    def __init__(self, weights: Mapping[str, np.ndarray]):
        self._weights = dict(weights)
        self._unused = set(weights)
        self._nodes: list[onnx.NodeProto] = []
        self._constants: list[onnx.TensorProto] = []

    def add(self, operator: str, *inputs: str, **attributes: Any) -> str:
        """Adds a node with one output."""
        name = f"{operator}_{len(self._nodes)}"
        self._nodes.append(onnx.helper.make_node(operator, inputs, [name], name, **attributes))
        return name

    def constant(self, value: Any, dtype: Any = np.float32, name: str = "") -> str:
        """Adds a constant array."""
        name = name or f"constant_{len(self._constants)}"
        array = np.ascontiguousarray(np.asarray(value, dtype))
        self._constants.append(onnx.numpy_helper.from_array(array, name))
        return name

    def convolution(self, x: str, layer: str, padding_px: int = 0) -> str:
        """Adds a convolution over `[N, C, H, W]`, whose kernel Keras has as [height, width, in, out]."""
        kernel = self._take(f"{layer}/kernel").transpose(3, 2, 0, 1)
        inputs = [x, self._half(f"{layer}/kernel", kernel)]
        if f"{layer}/bias" in self._weights:
            inputs.append(self._vector(layer, "bias"))
        return self.add("Conv", *inputs, kernel_shape=kernel.shape[2:], pads=[padding_px] * 4)

    def batch_normalization(self, x: str, layer: str) -> str:
        """Adds a batch normalisation over the channels of `[N, C, H, W]`."""
        roles = ("gamma", "beta", "moving_mean", "moving_variance")
        vectors = [self._vector(layer, role) for role in roles]
        return self.add("BatchNormalization", x, *vectors, epsilon=_BATCH_NORM_EPSILON)

    def relu(self, x: str) -> str:
        """Adds a rectifier."""
        return self.add("Relu", x)

    def halve(self, x: str) -> str:
        """Adds max-pooling of 2 x 2 pixels; an odd row or column at the end is left out."""
        return self.add("MaxPool", x, kernel_shape=[2, 2], strides=[2, 2])

    def flatten(self, x: str) -> str:
        """Flattens all but the first axis."""
        return self.add("Flatten", x)

    def dense(self, x: str, layer: str, shape: tuple[int, int, int] | None = None) -> str:
        """Adds a dense layer over `[N, features]`.

        Args:
          x: The input.
          layer: Its name.
          shape: [height, width, channels] of what Keras flattened, in that order, before it; here the
            channels come first. None where nothing was flattened.
        """
        kernel = self._take(f"{layer}/kernel")
        if shape is not None:
            units = kernel.shape[1]
            kernel = kernel.reshape(*shape, units).transpose(2, 0, 1, 3).reshape(-1, units)
        return self.add(
            "Gemm", x, self._half(f"{layer}/kernel", kernel), self._vector(layer, "bias")
        )

    def finish(self, output: str, inputs: Any, outputs: Any, metadata: Mapping[str, str]) -> bytes:
        """Returns the file's bytes.

        Args:
          output: What comes out of the last node.
          inputs: The graph's one input, as `onnx.helper.make_tensor_value_info` describes it.
          outputs: Its one output.
          metadata: Text by key.

        Raises:
          ValueError: The network has weights that no node took.
        """
        if self._unused:
            raise ValueError(
                f"the graph lacks layers of the network: nothing takes {sorted(self._unused)}; "
                "see pipeline/onnx_model/networks.py"
            )
        self._nodes.append(onnx.helper.make_node("Identity", [output], [outputs.name], "answer"))
        graph = onnx.helper.make_graph(self._nodes, "emotion", [inputs], [outputs], self._constants)
        model = onnx.helper.make_model(
            graph,
            opset_imports=[onnx.helper.make_opsetid("", OPSET)],
            ir_version=_IR_VERSION,
            producer_name="emotion-pipeline",
        )
        onnx.helper.set_model_props(model, dict(metadata))
        onnx.checker.check_model(model, full_check=True)
        return model.SerializeToString(deterministic=True)

    def _take(self, name: str) -> np.ndarray:
        if name not in self._weights:
            raise ValueError(
                f"the graph has a layer that the network lacks: there is no {name} among "
                f"{sorted(self._weights)}; see pipeline/onnx_model/networks.py"
            )
        self._unused.discard(name)
        return self._weights[name]

    def _vector(self, layer: str, role: str) -> str:
        name = f"{layer}/{role}"
        return self.constant(self._take(name), name=name)

    def _half(self, name: str, kernel: np.ndarray) -> str:
        """Stores a kernel as float16, which the runtime widens once, as it loads; its sums stay float32."""
        with np.errstate(over="ignore"):
            half = kernel.astype(np.float16)
        if not np.isfinite(half).all():
            return self.constant(kernel, name=name)
        stored = self.constant(half, np.float16, name)
        return self.add("Cast", stored, to=onnx.TensorProto.FLOAT)
