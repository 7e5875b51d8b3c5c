"""Model servers with TLS, and commands that ask them."""

from __future__ import annotations

import concurrent.futures
import json
import subprocess

import grpc
import numpy as np
import pytest
from PIL import Image

from emotion_faces import tensors
from emotion_faces.cli import main
from emotion_faces.client import EmotionClient
from emotion_faces.errors import UserError
from emotion_faces.local_server import connect
from emotion_faces.protos import predict_pb2


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """A folder with `key.pem` and `cert.pem`, for localhost, signed by itself."""
    folder = tmp_path_factory.mktemp("tls")
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"),
            *("-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"),
            *("-keyout", folder / "key.pem", "-out", folder / "cert.pem"),
        ],
        check=True,
        capture_output=True,
    )
    return folder


def answer_sad(request: bytes, context: grpc.ServicerContext) -> predict_pb2.PredictResponse:
    """Answers every picture alike."""
    asked = predict_pb2.PredictRequest.FromString(request)
    count = next(iter(asked.inputs.values())).tensor_shape.dim[0].size
    response = predict_pb2.PredictResponse()
    response.model_spec.version.value = 5
    for name, value in (
        ("probabilities", np.tile(np.float32([0.25, 0.75]), (count, 1))),
        ("label", np.array([b"sad"] * count, object)),
        ("classes", np.array([[b"happy", b"sad"]] * count, object)),
    ):
        response.outputs[name].CopyFrom(tensors.to_proto(value))
    return response


@pytest.fixture(scope="module")
def tls_server(certificate):
    """HOST:PORT of a server that speaks TLS alone."""
    handler = grpc.unary_unary_rpc_method_handler(
        answer_sad, response_serializer=predict_pb2.PredictResponse.SerializeToString
    )
    service = "tensorflow.serving.PredictionService"
    server = grpc.server(concurrent.futures.ThreadPoolExecutor(2))
    server.add_generic_rpc_handlers(
        [grpc.method_handlers_generic_handler(service, {"Predict": handler})]
    )
    pair = [(certificate / name).read_bytes() for name in ("key.pem", "cert.pem")]
    port = server.add_secure_port("localhost:0", grpc.ssl_server_credentials([tuple(pair)]))
    server.start()
    yield f"localhost:{port}"
    server.stop(None).wait()


@pytest.fixture
def face(tmp_path):
    path = tmp_path / "face.png"
    Image.new("L", (48, 48), 90).save(path)
    return path


def test_predict_asks_a_server_with_tls(tls_server, certificate, face, capsys):
    words = ["predict", str(face), "--json", "--server", tls_server]
    assert main([*words, "--tls-ca", str(certificate / "cert.pem")]) == 0
    [answer] = json.loads(capsys.readouterr().out)
    assert answer["label"] == "sad"
    assert answer["probabilities"] == {"happy": 0.25, "sad": 0.75}


def test_annotate_asks_a_server_with_tls(tls_server, certificate, face, tmp_path, capsys):
    words = ["annotate", str(face), "--out", str(tmp_path / "out"), "--server", tls_server]
    assert main([*words, "--tls-ca", str(certificate / "cert.pem")]) == 0
    assert "0 faces in 1 picture and 0 films" in capsys.readouterr().out


def test_without_the_certificate_the_flag_is_named(tls_server, face, capsys):
    # By address: the name has two, and what is told is of the one that was tried last.
    server = tls_server.replace("localhost", "127.0.0.1")
    words = ["predict", str(face), "--server", server, "--timeout-secs", "20"]
    assert main(words) == 1
    assert "name its certificate's authority with --tls-ca FILE" in capsys.readouterr().err


def test_another_certificate_is_refused(tls_server, certificate, tmp_path, face, capsys):
    other = tmp_path / "other.pem"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"),
            *("-subj", "/CN=localhost", "-keyout", tmp_path / "key", "-out", other),
        ],
        check=True,
        capture_output=True,
    )
    words = ["predict", str(face), "--server", tls_server, "--timeout-secs", "20"]
    assert main([*words, "--tls-ca", str(other)]) == 1
    assert "no answer from the model server" in capsys.readouterr().err


def test_what_is_no_certificate_is_named(tmp_path):
    words = tmp_path / "words.pem"
    words.write_text("words")
    for path, reason in ((words, "holds no certificate"), (tmp_path / "none.pem", "can't be read")):
        with (
            pytest.raises(UserError, match=f"--tls-ca .*pem {reason}"),
            connect("localhost:1", tls_ca=path),
        ):
            pass


def test_a_certificate_is_for_a_server_that_is_named(certificate, face, capsys):
    assert main(["predict", str(face), "--tls-ca", str(certificate / "cert.pem")]) == 2
    assert "--tls-ca is for a server: name it with --server" in capsys.readouterr().err


@pytest.mark.parametrize("secs", ["0", "-1", "nan", "inf", "soon"])
def test_a_timeout_is_above_zero(secs, face, capsys):
    with pytest.raises(SystemExit) as ended:
        main(["predict", str(face), f"--timeout-secs={secs}"])
    assert ended.value.code == 2
    assert f"is {secs}; it must be a number of seconds above 0" in capsys.readouterr().err
    if secs != "soon":
        with pytest.raises(ValueError, match="timeout_secs is"):
            EmotionClient("localhost:1", timeout_secs=float(secs))
