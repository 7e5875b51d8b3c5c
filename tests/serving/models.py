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
    """The model of TensorFlow Serving's own tests, y = x / 2 + 2, in TensorFlow 1's form.

    serving_default: `x` float32 [N] -> `y`; classify_x_to_y: `inputs` (tf.Example with `x`) ->
    `scores`; regress_x_to_y and regress_x_to_y2 (y + 1): `inputs` -> `outputs`. The last three
    read one placeholder, as MultiInference wants it.
    """
    tf = _tensorflow()
    v1 = tf.compat.v1
    aside = version_dir.with_name(f"writing-{version_dir.name}")
    with tf.Graph().as_default(), v1.Session() as session:
        half = v1.get_variable("a", initializer=0.5)
        two = v1.get_variable("b", initializer=offset)
        x = v1.placeholder(tf.float32, [None], "x")
        examples = v1.placeholder(tf.string, [None], "tf_example")
        parsed = v1.io.parse_example(examples, {"x": v1.io.FixedLenFeature([1], tf.float32)})["x"]
        y = tf.add(x * half, two, "y")
        scores = tf.add(parsed * half, two, "scores")
        more = tf.add(scores, 1.0, "more")
        session.run(v1.global_variables_initializer())

        def signature(inputs: Any, outputs: Any, method: str) -> Any:
            return v1.saved_model.build_signature_def(
                {key: v1.saved_model.build_tensor_info(value) for key, value in inputs.items()},
                {key: v1.saved_model.build_tensor_info(value) for key, value in outputs.items()},
                f"tensorflow/serving/{method}",
            )

        builder = v1.saved_model.Builder(str(aside))
        builder.add_meta_graph_and_variables(
            session,
            ["serve"],
            {
                "serving_default": signature({"x": x}, {"y": y}, "predict"),
                "classify_x_to_y": signature({"inputs": examples}, {"scores": scores}, "classify"),
                "regress_x_to_y": signature({"inputs": examples}, {"outputs": scores}, "regress"),
                "regress_x_to_y2": signature({"inputs": examples}, {"outputs": more}, "regress"),
            },
        )
        builder.save()
    aside.rename(version_dir)
    return version_dir


def copy_version(source: pathlib.Path, version_dir: pathlib.Path) -> pathlib.Path:
    """Copies a written version under another number, atomically."""
    aside = version_dir.with_name(f"copying-{version_dir.name}")
    shutil.copytree(source, aside)
    aside.rename(version_dir)
    return version_dir
