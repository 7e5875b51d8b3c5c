"""Classify, Regress and MultiInference: tf.Examples answered by a signature that parses them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from emotion_faces import tensors
from emotion_faces.model_server import image_guard, predict, servable, status
from emotion_faces.protos import (
    classification_pb2,
    inference_pb2,
    input_pb2,
    regression_pb2,
    types_pb2,
)

CLASSIFY_METHOD = "tensorflow/serving/classify"
REGRESS_METHOD = "tensorflow/serving/regress"
_INPUTS = "inputs"
_CLASSES, _SCORES, _OUTPUTS = "classes", "scores", "outputs"


def find_signature(
    model: servable.Servable, name: str, method: str, check_method: bool
) -> servable.Signature:
    """The signature for Classify or Regress.

    Args:
      name: Of the signature; '' for serving_default.
      check_method: Whether a signature whose method name is another is refused.

    Raises:
      StatusError: INVALID_ARGUMENT: there is none of that name, or it has not the inputs and
        outputs of `method`.
    """
    key = name or predict.DEFAULT_SIGNATURE
    signature = model.signatures.get(key)
    if signature is None:
        raise status.invalid_argument(f"No signature was found with the name: {key}")
    check_signature(model, signature, method, check_method)
    return signature


def check_signature(
    model: servable.Servable, signature: servable.Signature, method: str, check_method: bool
) -> None:
    """Refuses a signature that has not the inputs and outputs of `method`.

    Raises:
      StatusError: INVALID_ARGUMENT.
    """
    kind = "classification" if method == CLASSIFY_METHOD else "regression"
    shown = str(model.signature_defs[signature.key])
    if check_method and signature.method_name != method:
        raise status.invalid_argument(
            f"Expected {kind} signature method_name to be {method}. Was: {signature.method_name}"
        )
    if len(signature.inputs) != 1:
        raise status.invalid_argument("Expected one input Tensor.")
    if method == CLASSIFY_METHOD and len(signature.outputs) not in (1, 2):
        raise status.invalid_argument(
            f"Expected one or two output Tensors, found {len(signature.outputs)}"
        )
    if method == REGRESS_METHOD and len(signature.outputs) != 1:
        raise status.invalid_argument("Expected one output Tensor.")
    if _INPUTS not in signature.inputs:
        raise status.invalid_argument(f"No {kind} inputs found in SignatureDef: {shown}")
    if method == CLASSIFY_METHOD and not {_CLASSES, _SCORES} & set(signature.outputs):
        raise status.invalid_argument(
            "Expected classification signature outputs to contain at least one of "
            f'"{_CLASSES}" or "{_SCORES}". Signature was: {shown}'
        )
    if method == REGRESS_METHOD and _OUTPUTS not in signature.outputs:
        raise status.invalid_argument(f"No regression outputs found in SignatureDef: {shown}")


def run_examples(
    model: servable.Servable,
    signature: servable.Signature,
    examples: input_pb2.Input,
    limits: image_guard.ImageLimits,
    deadline: float | None,
) -> tuple[dict[str, np.ndarray], float]:
    """Runs a signature on an Input's examples; returns the outputs and the seconds taken.

    Raises:
      StatusError: The input is empty, or the model refuses an example.
    """
    serialized = serialize_examples(examples)
    array = np.empty(len(serialized), object)
    array[:] = serialized
    return predict.run(model, signature, {_INPUTS: array}, limits, deadline)


def serialize_examples(examples: input_pb2.Input) -> list[bytes]:
    """The serialized tf.Examples of an Input, the common context put before each.

    Raises:
      StatusError: INVALID_ARGUMENT: there are none.
    """
    kind = examples.WhichOneof("kind")
    if kind == "example_list":
        serialized = [example.SerializeToString() for example in examples.example_list.examples]
    elif kind == "example_list_with_context":
        common = examples.example_list_with_context.context.SerializeToString()
        serialized = [
            # Serialized messages one after the other parse as one, merged.
            common + example.SerializeToString()
            for example in examples.example_list_with_context.examples
        ]
    else:
        serialized = []
    if not serialized:
        raise status.invalid_argument("Input is empty.")
    return serialized


def classification_result(
    outputs: Mapping[str, np.ndarray], rows: int
) -> classification_pb2.ClassificationResult:
    """The classes of each row, in the order of the outputs.

    Raises:
      StatusError: INVALID_ARGUMENT: the outputs have another form than [rows, classes].
    """
    classes, scores = outputs.get(_CLASSES), outputs.get(_SCORES)
    for name, array, dtype in (
        (_CLASSES, classes, types_pb2.DT_STRING),
        (_SCORES, scores, types_pb2.DT_FLOAT),
    ):
        if array is not None:
            _check_output(name, array, dtype, rows)
    if classes is not None and scores is not None and classes.shape != scores.shape:
        raise status.invalid_argument(
            "Tensors class and score should match in dim_size(1). Got "
            f"{classes.shape[1]} vs. {scores.shape[1]}"
        )
    result = classification_pb2.ClassificationResult()
    for row in range(rows):
        labels = classes[row] if classes is not None else [b""] * scores.shape[1]  # type: ignore[union-attr]
        values = scores[row] if scores is not None else [0.0] * len(labels)
        entry = result.classifications.add()
        for label, value in zip(labels, values, strict=True):
            entry.classes.add(label=label.decode("utf-8", "replace"), score=value)
    return result


def _check_output(name: str, array: np.ndarray, dtype: int, rows: int) -> None:
    if array.ndim != 2:
        raise status.invalid_argument(
            "Expected Tensor shape: [batch_size num_classes] but got "
            f"{servable.describe_shape(array.shape)}"
        )
    if tensors.enum_of(array) != dtype:
        raise status.invalid_argument(
            f"Expected {name} Tensor of {types_pb2.DataType.Name(dtype)}. Got: "
            f"{types_pb2.DataType.Name(tensors.enum_of(array))}"
        )
    if len(array) != rows:
        raise status.invalid_argument(
            f"Expected {name} output batch size of {rows}. Got: {len(array)}"
        )


def regression_result(
    outputs: Mapping[str, np.ndarray], rows: int
) -> regression_pb2.RegressionResult:
    """The value of each row.

    Raises:
      StatusError: INVALID_ARGUMENT: the output has another form than [rows] or [rows, 1].
    """
    array = outputs[_OUTPUTS]
    if not (array.ndim == 1 or (array.ndim == 2 and array.shape[1] == 1)):
        raise status.invalid_argument(
            "Expected output Tensor shape to be either [batch_size] or [batch_size, 1] but got "
            f"{servable.describe_shape(array.shape)}"
        )
    if len(array) != rows:
        raise status.invalid_argument(
            f"Input batch size did not match output batch size: {rows} vs. {len(array)}"
        )
    if array.dtype != np.float32:
        raise status.invalid_argument(
            "Expected output Tensor of DT_FLOAT.  Got: "
            f"{types_pb2.DataType.Name(tensors.enum_of(array))}"
        )
    result = regression_pb2.RegressionResult()
    for value in array.ravel():
        result.regressions.add(value=value)
    return result


def check_tasks(tasks: Sequence[Any]) -> None:
    """Refuses tasks that name several models, one signature twice, or another method.

    Raises:
      StatusError: INVALID_ARGUMENT or UNIMPLEMENTED.
    """
    seen = set()
    for task in tasks:
        if not task.model_spec.name:
            raise status.invalid_argument("Found ModelSpec with an empty model name.")
        if task.model_spec.name != tasks[0].model_spec.name:
            raise status.invalid_argument(
                "All ModelSpecs in a MultiInferenceRequest must access the same model name."
            )
        key = task.model_spec.signature_name or predict.DEFAULT_SIGNATURE
        if key in seen:
            raise status.invalid_argument(f"Duplicate evaluation of signature: {key}")
        seen.add(key)


def multi_inference(
    model: servable.Servable,
    request: inference_pb2.MultiInferenceRequest,
    limits: image_guard.ImageLimits,
    deadline: float | None,
    check_method: bool,
) -> tuple[inference_pb2.MultiInferenceResponse, float]:
    """Answers several Classify and Regress tasks on the same examples.

    Raises:
      StatusError: As TensorFlow Serving words it.
    """
    check_tasks(request.tasks)
    signatures = [_task_signature(model, task, check_method) for task in request.tasks]
    if len({signature.inputs[_INPUTS].name for signature in signatures}) > 1:
        raise status.invalid_argument("Input tensor must be the same for all Signatures.")
    rows = len(serialize_examples(request.input))
    response = inference_pb2.MultiInferenceResponse()
    seconds = 0.0
    for task, signature in zip(request.tasks, signatures, strict=True):
        outputs, taken = run_examples(model, signature, request.input, limits, deadline)
        seconds += taken
        result = response.results.add()
        predict.make_spec(result, model, signature.key)
        if task.method_name == CLASSIFY_METHOD:
            result.classification_result.CopyFrom(classification_result(outputs, rows))
        else:
            result.regression_result.CopyFrom(regression_result(outputs, rows))
    return response, seconds


def _task_signature(
    model: servable.Servable, task: inference_pb2.InferenceTask, check_method: bool
) -> servable.Signature:
    key = task.model_spec.signature_name or predict.DEFAULT_SIGNATURE
    signature = model.signatures.get(key)
    if signature is None:
        raise status.invalid_argument(f"Requested signature not found in model graph: {key}")
    if task.method_name not in (CLASSIFY_METHOD, REGRESS_METHOD):
        raise status.unimplemented(f"Unsupported signature method_name: {task.method_name}")
    check_signature(model, signature, task.method_name, check_method)
    return signature
