import argparse
import pathlib

import pytest

from emotion_faces import serve, tfserving
from emotion_faces.commands import serve as serve_command
from emotion_faces.errors import UserError
from emotion_faces.model_server import config_files
from emotion_faces.protos import saved_model_pb2
from emotion_faces.web import app

DEPLOY = pathlib.Path(serve.__file__).parent / "deploy"


def test_container_command(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    settings = serve.ServeSettings(
        tmp_path, rest_port=0, flags=("--monitoring_config_file=/etc/m.config",)
    )
    assert serve.serve(settings, "tfserving") == 0
    assert capsys.readouterr().out.splitlines()[-1] == (
        "docker run --rm -p 127.0.0.1:8500:8500 "
        f"-v {tmp_path}:/models/emotion:ro -v /etc/m.config:/config/m.config:ro "
        f"-e MODEL_NAME=emotion tensorflow/serving:{tfserving.release(None)} "
        "--grpc_max_threads=128 --monitoring_config_file=/config/m.config"
    )


def test_binary_command_has_no_host(tmp_path):
    values = serve.ServeSettings(tmp_path).flag_values()
    assert tfserving.binary_command("/bin/tms", values, ["--enable_batching"]) == [
        "/bin/tms",
        "--model_name=emotion",
        f"--model_base_path={tmp_path}",
        "--port=8500",
        "--rest_api_port=8501",
        "--grpc_max_threads=128",
        "--enable_batching",
    ]
    values = {"port": 1}
    own = tfserving.binary_command("/bin/tms", values, ["--grpc_max_threads=8"])
    assert own == ["/bin/tms", "--port=1", "--grpc_max_threads=8"]


@pytest.fixture
def binary(tmp_path, monkeypatch):
    """A stand-in for tensorflow_model_server on PATH; gives what it was started with."""
    path = tmp_path / "bin" / "tensorflow_model_server"
    path.parent.mkdir()
    path.write_text("#!/bin/sh\necho TensorFlow ModelServer: 2.16.1-rc0\n")
    path.chmod(0o755)
    monkeypatch.setenv("PATH", f"{path.parent}:/usr/bin:/bin")
    started = []
    monkeypatch.setattr(serve.os, "execv", lambda program, command: started.append(command))
    monkeypatch.setattr(serve, "_run_embedded", lambda settings, values: started.append("ours"))
    return started


def test_a_host_that_the_binary_cannot_keep_is_refused(binary, tmp_path, capsys):
    settings = serve.ServeSettings(tmp_path)  # on loopback
    with pytest.raises(UserError, match=r"listens on every address.*--host 127\.0\.0\.1 can't be"):
        serve.serve(settings, "tfserving")
    serve.serve(settings, "auto")
    assert binary == ["ours"]
    assert "listens on every address where 127.0.0.1 alone was asked for" in capsys.readouterr().out
    everywhere = serve.ServeSettings(tmp_path, host="0.0.0.0")
    for engine in ("auto", "tfserving"):
        serve.serve(everywhere, engine)
    assert [command[1] for command in binary[1:]] == ["--model_name=emotion"] * 2


def write_saved_model(version_dir, tensorflow):
    version_dir.mkdir(parents=True)
    saved_model = saved_model_pb2.SavedModel()
    saved_model.meta_graphs.add().meta_info_def.tensorflow_version = tensorflow
    (version_dir / "saved_model.pb").write_bytes(saved_model.SerializeToString())


def test_a_binary_older_than_the_exporting_tensorflow_is_told(binary, tmp_path, capsys):
    write_saved_model(tmp_path / "models" / "3", "2.21.0")
    serve.serve(serve.ServeSettings(tmp_path / "models", host="0.0.0.0"), "tfserving")
    printed = capsys.readouterr().out
    assert "is of release 2.16.1, and TensorFlow 2.21.0 exported the model" in printed
    assert "use the release 2.21.0" in printed
    write_saved_model(tmp_path / "models" / "4", "2.16.2")
    serve.serve(serve.ServeSettings(tmp_path / "models", host="0.0.0.0"), "tfserving")
    assert "warning" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("exported", "release"), [("2.16.2", "2.16.1"), ("2.21.0", "2.21.0"), ("2.21.1", "2.21.0")]
)
def test_the_container_follows_the_exporting_tensorflow(
    tmp_path, capsys, monkeypatch, exported, release
):
    monkeypatch.setenv("PATH", str(tmp_path))
    write_saved_model(tmp_path / "models" / "7", exported)
    assert serve.serve(serve.ServeSettings(tmp_path / "models"), "tfserving") == 0
    assert f"tensorflow/serving:{release} " in capsys.readouterr().out


@pytest.mark.parametrize(
    ("port", "rest_port", "flag"),
    [(99999, 8501, "--port"), (-1, 8501, "--port"), (8500, -1, "--rest-port")],
)
def test_what_is_no_port_is_refused_at_once(tmp_path, port, rest_port, flag):
    settings = serve.ServeSettings(tmp_path, port=port, rest_port=rest_port)
    with pytest.raises(UserError, match=f"{flag} takes a port from 0 to 65535"):
        serve.serve(settings, "embedded")


def test_one_port_for_both_is_refused_at_once(tmp_path):
    with pytest.raises(UserError, match="--port and --rest-port are both 8500"):
        serve.serve(serve.ServeSettings(tmp_path, port=8500, rest_port=8500), "embedded")


@pytest.mark.parametrize("port", [-1, 99999])
def test_what_is_no_port_of_the_page_is_refused_at_once(port):
    with pytest.raises(UserError, match="--port takes a port from 0 to 65535"):
        app.serve(port=port)


def parse(*arguments):
    parser = argparse.ArgumentParser()
    serve_command.add_arguments(parser)
    seen = []
    options = parser.parse_args(arguments)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(serve, "serve", lambda settings, engine: seen.append(settings.flags))
        serve_command.execute(options)
    return seen[0]


def test_flags_of_tensorflow_serving_are_taken_as_they_are(tmp_path):
    folder = f"--model-dir={tmp_path}"
    assert parse(folder, "--file_system_poll_wait_seconds=1", "--enable_batching") == (
        "--file_system_poll_wait_seconds=1",
        "--enable_batching",
    )
    assert parse(folder, "--num_load_threads", "2", "--", "--made_up=1") == (
        "--num_load_threads=2",
        "--made_up=1",
    )
    with pytest.raises(SystemExit):
        parse(folder, "--made_up=1")


def test_no_such_folder(tmp_path):
    with pytest.raises(UserError, match="there is no folder"):
        serve.serve(serve.ServeSettings(tmp_path / "none"))


def test_no_such_engine(tmp_path):
    with pytest.raises(UserError, match="there is no engine 'torch'"):
        serve.serve(serve.ServeSettings(tmp_path), "torch")


def test_deploy_files_are_valid():
    models = config_files.read_model_config(str(DEPLOY / "models.config"))
    assert [model.name for model in models.model_config_list.config] == ["emotion"]
    assert config_files.read_batching_options(str(DEPLOY / "batching.config")).max_batch_size == 128
    assert config_files.read_monitoring_config(
        str(DEPLOY / "monitoring.config")
    ).prometheus_config.enable
