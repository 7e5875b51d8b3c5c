import argparse
import pathlib
import socket

import pytest

from emotion_faces.commands.model_choice import add_model_arguments, choose_model
from emotion_faces.errors import UserError
from emotion_faces.shipped import ShippedModel

SHIPPED = pathlib.Path("shipped")


def choose(server=None, model_dir=None, model=None, default_server="127.0.0.1:1", int8=False):
    options = argparse.Namespace(
        server=server, tls_ca=None, model_dir=model_dir, model=model, int8=int8
    )
    return choose_model(options, default_server, find_model)


def find_model(name):
    name = name or "best"
    return ShippedModel(name, SHIPPED / name, SHIPPED / "MODEL_CARD.md")


@pytest.mark.parametrize(
    ("server", "model_dir"), [("host:8500", None), (None, pathlib.Path("mine")), ("h:1", "mine")]
)
def test_takes_what_the_user_names(server, model_dir):
    assert choose(server, model_dir) == (server, model_dir)


def test_takes_the_shipped_model_of_a_name_even_where_a_server_runs():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = f"127.0.0.1:{listener.getsockname()[1]}"
        assert choose(model="deep", default_server=address) == (None, SHIPPED / "deep")


@pytest.mark.parametrize("other", [{"server": "host:8500"}, {"model_dir": "mine"}])
def test_refuses_a_shipped_model_beside_another(other):
    with pytest.raises(UserError, match="give --model, --model-dir or --server, not several"):
        choose(model="deep", **other)


def test_asks_a_server_that_runs(capsys):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = f"127.0.0.1:{listener.getsockname()[1]}"
        assert choose(default_server=address) == (address, None)
    assert capsys.readouterr().err == ""


def test_takes_the_shipped_model_where_no_server_runs_and_says_so(capsys):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = f"127.0.0.1:{listener.getsockname()[1]}"
    assert choose(default_server=address) == (None, SHIPPED / "best")
    assert capsys.readouterr().err == (
        f"no model server at {address}\n"
        "using the model best that comes with the project (shipped/MODEL_CARD.md)\n"
    )


def test_takes_the_eight_bits_of_the_model_that_is_named(tmp_path):
    extra = tmp_path / "7" / "assets.extra"
    extra.mkdir(parents=True)
    (extra / "model.onnx").write_bytes(b"")
    with pytest.raises(
        UserError, match=r"--int8: there is no .*model\.int8\.onnx: a run writes it"
    ):
        choose(model_dir=tmp_path, int8=True)
    (extra / "model.int8.onnx").write_bytes(b"")
    assert choose(model_dir=tmp_path, int8=True) == (None, extra / "model.int8.onnx")


def test_eight_bits_are_of_no_server():
    with pytest.raises(UserError, match="--int8 is for a model in this process"):
        choose(server="host:8500", int8=True)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = f"127.0.0.1:{listener.getsockname()[1]}"
        with pytest.raises(UserError, match="best holds no"):
            choose(default_server=address, int8=True)


@pytest.mark.parametrize(
    "server",
    ["", "127.0.0.1", ":8500", "h:x", "h:0", "h:99999", "http://h:8500", "h:1 ", "::1:8500"],
)
def test_what_names_no_server_is_refused(server, capsys):
    """gRPC would ask port 34463 for 99999, and an empty one was as none given."""
    parser = argparse.ArgumentParser()
    add_model_arguments(parser)
    with pytest.raises(SystemExit, match="2"):
        parser.parse_args(["--server", server])
    assert f"{server!r} is no HOST:PORT; give a model server's gRPC port" in capsys.readouterr().err


@pytest.mark.parametrize(
    "server", ["127.0.0.1:8500", "[::1]:8500", "a-b.c:65535", "dns:///name:8500", "unix:/run/x"]
)
def test_what_names_a_server_is_taken(server):
    parser = argparse.ArgumentParser()
    add_model_arguments(parser)
    assert parser.parse_args(["--server", server]).server == server
