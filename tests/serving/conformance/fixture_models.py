"""Writes the models and config files that the conformance suite expects a server to serve.

`python -m tests.serving.conformance.fixture_models DIR` lays out DIR for any server, the real
`tensorflow_model_server` included, and prints the flags to start it with.
The models are built as TF1 graphs: that alone gives control over feed names, method names,
shared input tensors and signature defaults, which the contract speaks about.
"""

import argparse
import os
import pathlib
import tempfile

import tensorflow as tf
from tensorflow.core.framework import tensor_pb2
from tensorflow.core.protobuf import saved_model_pb2
from tensorflow_serving.apis import predict_pb2, prediction_log_pb2

from tests.serving.models import LABELS, write_emotion

tf1 = tf.compat.v1

SHARED_FLAGS = (
    "--model_config_file={dir}/models.config",
    "--monitoring_config_file={dir}/monitoring.config",
    "--allow_version_labels_for_unavailable_models=true",
    "--enable_grpc_healthcheck_service=true",
)
INIT_OP = "__saved_model_init_op"
PROMETHEUS_PATH = "/monitoring/prometheus/metrics"


def write_half_plus_version(base_path, version: int) -> pathlib.Path:
    """Writes a model that tells its version: float `x` [N] -> float `y` = x / 2 + version."""
    with tf.Graph().as_default():
        x = tf1.placeholder(tf.float32, [None], name="x")
        offset = tf1.get_variable("offset", initializer=float(version), use_resource=True)
        y = tf.add(x * 0.5, offset, name="y")
        return _save(base_path, version, {"serving_default": _predict({"x": x}, {"y": y})})


def write_signatures(base_path, version: int = 1) -> pathlib.Path:
    """Writes a model with one signature for each kind of request the contract speaks about."""
    with tf.Graph().as_default():
        rows = tf1.placeholder(tf.float32, [None, 3], name="rows")
        a = tf1.placeholder(tf.float32, [None], name="a")
        b = tf1.placeholder(tf.float32, [None], name="b")
        text = tf1.placeholder(tf.string, [None], name="text")
        half = tf1.placeholder(tf.float16, [None], name="half")
        bfloat = tf1.placeholder(tf.bfloat16, [None], name="bfloat")
        anything = tf1.placeholder(tf.float32, None, name="anything")
        seconds = tf1.placeholder(tf.float32, [None], name="seconds")
        serialized = tf1.placeholder(tf.string, [None], name="tf_example")
        features = tf.io.parse_example(serialized, {"x": tf.io.FixedLenFeature([7], tf.float32)})
        scores = tf.identity(features["x"], name="scores")
        classes = tf.tile(tf.constant([LABELS]), [tf.shape(scores)[0], 1], name="classes")
        total = tf.add(a, b, name="total")
        two_inputs = _predict({"a": a, "b": b}, {"total": total})
        with_default = _predict({"a": a, "b": b}, {"total": total})
        with_default.defaults["b"].CopyFrom(tf.make_tensor_proto([10.0]))
        # A fetched tensor that is also fed would be refused by the session: hence the identities.
        return _save(
            base_path,
            version,
            {
                "serving_default": _predict(
                    {"x": rows}, {"sum": tf.reduce_sum(rows, 1), "doubled": rows * 2}
                ),
                "single": _predict({"x": rows}, {"doubled": rows * 2}),
                "two_inputs": two_inputs,
                "with_default": with_default,
                "strings": _predict(
                    {"text": text},
                    {"text": tf.identity(text), "raw_bytes": tf.identity(text)},
                ),
                "half": _predict({"h": half}, {"y": tf.cast(half, tf.float32)}),
                "bfloat16": _predict({"h": bfloat}, {"y": tf.cast(bfloat, tf.float32)}),
                "echo": _predict({"x": anything}, {"y": tf.identity(anything)}),
                "slow": _predict({"seconds": seconds}, {"waited": _wait(seconds)}),
                "classify": _signature(
                    {"inputs": serialized},
                    {"classes": classes, "scores": scores},
                    tf.saved_model.CLASSIFY_METHOD_NAME,
                ),
                "regress": _signature(
                    {"inputs": serialized},
                    {"outputs": tf.reduce_sum(scores, 1)},
                    tf.saved_model.REGRESS_METHOD_NAME,
                ),
            },
        )


def write_warmup(version_dir, requests) -> None:
    """Writes PredictRequests as the warm-up records of a version (`tf_serving_warmup_requests`)."""
    extra = pathlib.Path(version_dir) / "assets.extra"
    extra.mkdir(exist_ok=True)
    with tf.io.TFRecordWriter(str(extra / "tf_serving_warmup_requests")) as writer:
        for request in requests:
            log = prediction_log_pb2.PredictionLog(
                predict_log=prediction_log_pb2.PredictLog(request=request)
            )
            writer.write(log.SerializeToString())


def write_corrupt(base_path, version: int) -> pathlib.Path:
    """Writes a version whose `saved_model.pb` is not a SavedModel."""
    version_dir = pathlib.Path(base_path) / str(version)
    aside = version_dir.parent.parent / f".corrupt-{version_dir.parent.name}-{version}"
    aside.mkdir(parents=True)
    (aside / "saved_model.pb").write_bytes(b"\xff\xffnot a SavedModel")
    version_dir.parent.mkdir(parents=True, exist_ok=True)
    os.rename(aside, version_dir)
    return version_dir


def write_all(directory) -> pathlib.Path:
    """Writes every fixture model and config file below `directory`, and returns it resolved."""
    directory = pathlib.Path(directory).resolve()
    models = directory / "models"
    for version in (1, 2, 3):
        write_half_plus_version(models / "half_plus_version", version)
    write_signatures(models / "signatures")
    (models / "emotion").mkdir()
    write_emotion(models / "emotion" / "1")
    (directory / "models.config").write_text(
        f"""model_config_list {{
  config {{
    name: "half_plus_version" base_path: "{models}/half_plus_version"
    model_platform: "tensorflow"
    model_version_policy {{ specific {{ versions: 1 versions: 2 versions: 3 }} }}
    version_labels {{ key: "stable" value: 2 }}
    version_labels {{ key: "canary" value: 3 }}
  }}
  config {{ name: "signatures" base_path: "{models}/signatures" model_platform: "tensorflow" }}
  config {{ name: "emotion" base_path: "{models}/emotion" model_platform: "tensorflow" }}
}}
"""
    )
    (directory / "monitoring.config").write_text(
        f'prometheus_config {{ enable: true path: "{PROMETHEUS_PATH}" }}\n'
    )
    return directory


def predict_request(model: str, signature: str = "", **inputs) -> predict_pb2.PredictRequest:
    """Returns a PredictRequest; values that are not TensorProtos become float32 or string ones."""
    request = predict_pb2.PredictRequest()
    request.model_spec.name = model
    request.model_spec.signature_name = signature
    for name, value in inputs.items():
        is_proto = isinstance(value, tensor_pb2.TensorProto)
        proto = value if is_proto else tf.make_tensor_proto(value)
        request.inputs[name].CopyFrom(proto)
    return request


def _wait(seconds):
    """Returns `seconds` after spinning for the largest of them; the run can be cancelled."""
    end = tf.timestamp() + tf.cast(tf.reduce_max(seconds), tf.float64)
    now = tf.while_loop(lambda now: now < end, lambda now: [tf.timestamp()], [tf.timestamp()])[0]
    with tf.control_dependencies([now]):
        return tf.identity(seconds)


def _predict(inputs, outputs):
    return _signature(inputs, outputs, tf.saved_model.PREDICT_METHOD_NAME)


def _signature(inputs, outputs, method_name):
    return tf1.saved_model.build_signature_def(
        {key: tf1.saved_model.build_tensor_info(tensor) for key, tensor in inputs.items()},
        {key: tf1.saved_model.build_tensor_info(tensor) for key, tensor in outputs.items()},
        method_name,
    )


def _save(base_path, version: int, signatures) -> pathlib.Path:
    """Saves the default graph; the version directory appears whole, by a rename."""
    base_path = pathlib.Path(base_path)
    base_path.mkdir(parents=True, exist_ok=True)
    if not tf1.global_variables():  # a version without variables/ is what deviation 6 refuses
        tf1.get_variable("unused", initializer=0.0)
    aside = pathlib.Path(tempfile.mkdtemp(dir=base_path.parent, prefix=".save-"))
    with tf1.Session() as session:
        session.run(tf1.global_variables_initializer())
        builder = tf1.saved_model.Builder(str(aside / "version"))
        builder.add_meta_graph_and_variables(
            session,
            [tf.saved_model.SERVING],
            signature_def_map=signatures,
            main_op=tf.group(name="init_op"),
        )
        path = pathlib.Path(builder.save().decode())
    _add_init_signature(path)
    version_dir = base_path / str(version)
    os.rename(aside / "version", version_dir)
    aside.rmdir()
    return version_dir


def _add_init_signature(path: pathlib.Path) -> None:
    """Names the init op in a signature, as TensorFlow 2's exporter does and TF1's does not."""
    saved_model = saved_model_pb2.SavedModel.FromString(path.read_bytes())
    outputs = saved_model.meta_graphs[0].signature_def[INIT_OP].outputs
    outputs[INIT_OP].name = "init_op"
    outputs[INIT_OP].tensor_shape.unknown_rank = True
    path.write_bytes(saved_model.SerializeToString())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("directory", help="where to write; must not hold the models yet")
    directory = write_all(parser.parse_args().directory)
    flags = " ".join(flag.format(dir=directory) for flag in SHARED_FLAGS)
    print(f"tensorflow_model_server --port=8500 --rest_api_port=8501 {flags}")


if __name__ == "__main__":
    main()
