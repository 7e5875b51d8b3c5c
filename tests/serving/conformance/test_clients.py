"""Clients that nobody here wrote: curl, and grpcurl where it is on PATH."""

import base64
import json
import pathlib
import re
import shutil
import subprocess

import pytest
from google.protobuf import descriptor_pb2
from tensorflow_serving.apis import predict_pb2

from tests.documented import CALLS, GRPCURL_CALLS, RUN_BY
from tests.serving.conformance.fixture_models import predict_request


def run(*command, **kwargs):
    return subprocess.run(
        [str(part) for part in command], capture_output=True, text=True, timeout=60, **kwargs
    )


@pytest.fixture(scope="module")
def image():
    from benchmarks.serving.hostile_images import jpeg

    return jpeg()


def test_curl_predicts_an_image(server, image, tmp_path):
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed")
    body = tmp_path / "request.json"
    instance = {"b64": base64.b64encode(image).decode()}
    body.write_text(json.dumps({"instances": [instance]}))
    url = f"http://{server.host}:{server.rest_port}/v1/models/emotion"
    # curl sends a form's content type unless told otherwise; TF Serving does not look at it.
    answer = run("curl", "-sS", "-w", "\n%{http_code}", "-d", f"@{body}", f"{url}:predict")
    text, code = answer.stdout.rsplit("\n", 1)
    assert code == "200", answer
    rest = json.loads(text)["predictions"][0]
    answer = server.predict(predict_request("emotion", image_bytes=[image]))
    grpc_values = list(answer.outputs["probabilities"].float_val)
    assert rest["probabilities"] == pytest.approx(grpc_values, abs=1e-5)
    assert rest["label"] == answer.outputs["label"].string_val[0].decode()
    status = run("curl", "-sS", "--http2-prior-knowledge", "--max-time", "10", url)
    plain = run("curl", "-sS", "-H", "Expect: 100-continue", url)
    assert json.loads(plain.stdout)["model_version_status"][0]["state"] == "AVAILABLE"
    assert status.returncode != 0  # HTTP/1.1 only, as TF Serving


def test_curl_sends_a_gzip_body_and_keeps_the_connection(server, tmp_path):
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed")
    import gzip

    body = tmp_path / "request.json.gz"
    body.write_bytes(gzip.compress(b'{"instances": [2.0, 4.0]}'))
    url = f"http://{server.host}:{server.rest_port}/v1/models/half_plus_version:predict"
    flags = ("--data-binary", f"@{body}", "-H", "Content-Encoding: gzip")
    answer = run("curl", "-sSv", *flags, url, url)
    assert answer.stdout.count("predictions") == 2
    # Newer versions name the protocol in between.
    assert re.search(r"Re-using existing (\w+: )?connection", answer.stderr), answer.stderr


def write_protoset(path: pathlib.Path) -> pathlib.Path:
    """Writes Predict's descriptors with all they import, as grpcurl's -protoset.

    The service itself is spelt out: tensorflow-serving-api's own module of it, 2.19 the newest, was
    generated for a protobuf before 6 and cannot be imported beside that.
    """
    files = descriptor_pb2.FileDescriptorSet()
    seen = set()

    def add(descriptor):
        if descriptor.name in seen:
            return
        seen.add(descriptor.name)
        for dependency in descriptor.dependencies:
            add(dependency)
        descriptor.CopyToProto(files.file.add())

    add(predict_pb2.DESCRIPTOR)
    package = predict_pb2.DESCRIPTOR.package
    service = files.file.add(
        name="service.proto",
        package=package,
        syntax="proto3",
        dependency=[predict_pb2.DESCRIPTOR.name],
    ).service.add(name="PredictionService")
    service.method.add(
        name="Predict",
        input_type=f".{package}.PredictRequest",
        output_type=f".{package}.PredictResponse",
    )
    path.write_bytes(files.SerializeToString())
    return path


def test_grpcurl_predicts_an_image(server, image, tmp_path):
    grpcurl = shutil.which("grpcurl")
    if grpcurl is None:
        pytest.skip(
            "grpcurl is not on PATH: go install github.com/fullstorydev/grpcurl/cmd/grpcurl@latest, "
            "and put $(go env GOPATH)/bin on PATH"
        )
    tensor = {
        "dtype": "DT_STRING",
        "tensor_shape": {"dim": [{"size": 1}]},
        "string_val": [base64.b64encode(image).decode()],
    }
    request = {"model_spec": {"name": "emotion"}, "inputs": {"image_bytes": tensor}}
    answer = run(
        grpcurl,
        *("-plaintext", "-protoset", write_protoset(tmp_path / "serving.protoset"), "-d", "@"),
        f"{server.host}:{server.grpc_port}",
        "tensorflow.serving.PredictionService/Predict",
        input=json.dumps(request),
    )
    assert answer.returncode == 0, answer.stderr
    outputs = json.loads(answer.stdout)["outputs"]
    assert sum(outputs["probabilities"]["float_val"]) == pytest.approx(1)


def call_as_printed(line, server, image, folder):
    """Runs a line of the documents in a shell, with face.jpg beside it, on the server's ports."""
    (folder / "face.jpg").write_bytes(image)
    for printed, port in (("8500", server.grpc_port), ("8501", server.rest_port)):
        line = line.replace(f"127.0.0.1:{printed}", f"{server.host}:{port}")
    answer = run("sh", "-c", line, cwd=folder)
    assert answer.returncode == 0, answer.stderr
    return answer.stdout


@pytest.mark.parametrize("line", RUN_BY[CALLS])
def test_the_documented_calls_work(line, server, image, tmp_path):
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed")
    answer = json.loads(call_as_printed(line, server, image, tmp_path))
    assert len(answer) == (2 if "metadata" in line else 1)
    assert {"predictions", "model_version_status", "model_spec"} & set(answer)


@pytest.mark.parametrize("line", RUN_BY[GRPCURL_CALLS])
def test_the_documented_grpcurl_calls_work(line, server, image, tmp_path):
    if shutil.which("grpcurl") is None:
        pytest.skip("grpcurl is not on PATH: see test_grpcurl_predicts_an_image")
    answer = call_as_printed(line, server, image, tmp_path)
    assert "tensorflow.serving.PredictionService" in answer or '"probabilities"' in answer
