"""SavedModels that the serving tests serve: small, quick to write, the same from the same seed.

Each `write_*` function makes one version folder, written aside and renamed into place as a pusher
does, and returns its path. TensorFlow is imported inside the functions.
"""

from __future__ import annotations

import os
import pathlib
import shutil
from collections.abc import Callable, Sequence
from typing import Any

LABELS = ("angry", "disgust", "fear", "happy", "neutral", "sad", "surprise")
SIZE_PX = 48


def _tensorflow() -> Any:
    os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    import tensorflow as tf

    return tf


def _save(module: Any, version_dir: pathlib.Path, signatures: dict[str, Any]) -> pathlib.Path:
    tf = _tensorflow()
    aside = version_dir.with_name(f"writing-{version_dir.name}")
    tf.saved_model.save(module, str(aside), signatures=signatures)
    aside.rename(version_dir)
    return version_dir


def _set_method(version_dir: pathlib.Path, methods: dict[str, str]) -> None:
    """Gives signatures the method names that TensorFlow 2 cannot write itself."""
    from tensorflow.core.protobuf import saved_model_pb2

    path = version_dir / "saved_model.pb"
    saved_model = saved_model_pb2.SavedModel.FromString(path.read_bytes())
    for signature, method in methods.items():
        saved_model.meta_graphs[0].signature_def[signature].method_name = method
    path.write_bytes(saved_model.SerializeToString())


def specified_network(seed: int = 0) -> Any:
    """The specified network: 6,837,127 parameters, 48x48x1 in, 7 probabilities out."""
    tf = _tensorflow()
    tf.keras.utils.set_random_seed(seed)
    layers = tf.keras.layers
    return tf.keras.Sequential(
        [
            layers.Input((SIZE_PX, SIZE_PX, 1), name="keras_tensor"),
            layers.Conv2D(128, 3, activation="relu"),
            layers.BatchNormalization(),
            layers.MaxPooling2D(2),
            layers.Dropout(0.5),
            layers.Conv2D(128, 3, activation="relu"),
            layers.BatchNormalization(),
            layers.MaxPooling2D(2),
            layers.Dropout(0.5),
            layers.Flatten(),
            layers.Dense(512, activation="relu"),
            layers.Dropout(0.5),
            layers.Dense(256, activation="relu"),
            layers.Dropout(0.5),
            layers.Dense(len(LABELS), activation="softmax"),
        ]
    )


def small_network(seed: int = 0) -> Any:
    """A network of the specified one's shape with few weights, for tests that need no real work."""
    tf = _tensorflow()
    tf.keras.utils.set_random_seed(seed)
    layers = tf.keras.layers
    return tf.keras.Sequential(
        [
            layers.Input((SIZE_PX, SIZE_PX, 1), name="keras_tensor"),
            layers.Conv2D(4, 3, strides=4, activation="relu"),
            layers.Flatten(),
            layers.Dense(len(LABELS), activation="softmax"),
        ]
    )


def write_cnn(
    version_dir: pathlib.Path, seed: int = 0, network: Callable[[int], Any] = small_network
) -> pathlib.Path:
    """A plain image classifier: `keras_tensor` float32 [N,48,48,1] -> `output_0` float32 [N,7]."""
    tf = _tensorflow()
    model = network(seed)

    @tf.function(
        input_signature=[tf.TensorSpec([None, SIZE_PX, SIZE_PX, 1], tf.float32, "keras_tensor")]
    )
    def serving_default(keras_tensor: Any) -> dict[str, Any]:
        return {"output_0": model(keras_tensor, training=False)}

    module = tf.Module()
    module.model = model
    return _save(module, version_dir, {"serving_default": serving_default})


def write_emotion(
    version_dir: pathlib.Path,
    seed: int = 0,
    network: Callable[[int], Any] = small_network,
    labels: Sequence[str] = LABELS,
) -> pathlib.Path:
    """A model with the signatures that the pipeline exports.

    serving_default: `image_bytes` string [N] -> `probabilities` [N,7], `label` [N], `classes` [N,7]
    pixels: `pixels` float32 [N,48,48,1] -> the same
    classify: `inputs` string [N] (tf.Example with `image`) -> `classes`, `scores`
    """
    tf = _tensorflow()
    model = network(seed)
    module = tf.Module()
    module.model = model
    names = tf.constant(labels)

    def decode(image: Any) -> Any:
        pixels = tf.io.decode_image(image, channels=1, expand_animations=False, dtype=tf.uint8)
        pixels = tf.image.resize(pixels, [SIZE_PX, SIZE_PX])
        return tf.ensure_shape(pixels / 255.0, [SIZE_PX, SIZE_PX, 1])

    def decode_batch(images: Any) -> Any:
        return tf.map_fn(
            decode, images, fn_output_signature=tf.TensorSpec([SIZE_PX, SIZE_PX, 1], tf.float32)
        )

    def answer(pixels: Any) -> dict[str, Any]:
        probabilities = model(pixels, training=False)
        classes = tf.repeat(names[tf.newaxis], tf.shape(probabilities)[0], axis=0)
        label = tf.gather(names, tf.argmax(probabilities, axis=1))
        return {"probabilities": probabilities, "label": label, "classes": classes}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "image_bytes")])
    def serving_default(image_bytes: Any) -> dict[str, Any]:
        return answer(decode_batch(image_bytes))

    @tf.function(input_signature=[tf.TensorSpec([None, SIZE_PX, SIZE_PX, 1], tf.float32, "pixels")])
    def pixels(pixels: Any) -> dict[str, Any]:
        return answer(pixels)

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "inputs")])
    def classify(inputs: Any) -> dict[str, Any]:
        images = tf.io.parse_example(inputs, {"image": tf.io.FixedLenFeature([], tf.string)})
        outputs = answer(decode_batch(images["image"]))
        return {"classes": outputs["classes"], "scores": outputs["probabilities"]}

    signatures = {"serving_default": serving_default, "pixels": pixels, "classify": classify}
    aside = version_dir.with_name(f"methods-{version_dir.name}")
    _save(module, aside, signatures)
    _set_method(aside, {"classify": "tensorflow/serving/classify"})
    extra = aside / "assets.extra"
    extra.mkdir()
    (extra / "labels.txt").write_text("".join(f"{label}\n" for label in labels))
    aside.rename(version_dir)
    return version_dir


def write_half_plus_two(version_dir: pathlib.Path, offset: float = 2.0) -> pathlib.Path:
    """The model of TensorFlow Serving's own tests: y = x / 2 + 2, in each kind of signature.

    serving_default: `x` float32 [N] -> `y`; classify_x_to_y: `inputs` (tf.Example with `x`) ->
    `scores`; regress_x_to_y and regress_x_to_y2 (y + 1): `inputs` -> `outputs`.
    """
    tf = _tensorflow()
    module = tf.Module()
    module.half = tf.Variable(0.5)
    module.offset = tf.Variable(offset)

    def examples_to_x(inputs: Any) -> Any:
        return tf.io.parse_example(inputs, {"x": tf.io.FixedLenFeature([1], tf.float32)})["x"]

    @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, "x")])
    def serving_default(x: Any) -> dict[str, Any]:
        return {"y": x * module.half + module.offset}

    examples = [tf.TensorSpec([None], tf.string, "inputs")]

    @tf.function(input_signature=examples)
    def classify_x_to_y(inputs: Any) -> dict[str, Any]:
        return {"scores": examples_to_x(inputs) * module.half + module.offset}

    @tf.function(input_signature=examples)
    def regress_x_to_y(inputs: Any) -> dict[str, Any]:
        return {"outputs": examples_to_x(inputs) * module.half + module.offset}

    @tf.function(input_signature=examples)
    def regress_x_to_y2(inputs: Any) -> dict[str, Any]:
        return {"outputs": examples_to_x(inputs) * module.half + module.offset + 1.0}

    aside = version_dir.with_name(f"methods-{version_dir.name}")
    _save(
        module,
        aside,
        {
            "serving_default": serving_default,
            "classify_x_to_y": classify_x_to_y,
            "regress_x_to_y": regress_x_to_y,
            "regress_x_to_y2": regress_x_to_y2,
        },
    )
    _set_method(
        aside,
        {
            "classify_x_to_y": "tensorflow/serving/classify",
            "regress_x_to_y": "tensorflow/serving/regress",
            "regress_x_to_y2": "tensorflow/serving/regress",
        },
    )
    aside.rename(version_dir)
    return version_dir


def copy_version(source: pathlib.Path, version_dir: pathlib.Path) -> pathlib.Path:
    """Copies a written version under another number, atomically."""
    aside = version_dir.with_name(f"copying-{version_dir.name}")
    shutil.copytree(source, aside)
    aside.rename(version_dir)
    return version_dir
