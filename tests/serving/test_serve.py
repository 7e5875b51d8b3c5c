import pathlib

import pytest

from emotion_faces import serve, tfserving
from emotion_faces.errors import UserError
from emotion_faces.model_server import config_files

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
        "-e MODEL_NAME=emotion tensorflow/serving:2.16.1 "
        "--monitoring_config_file=/config/m.config"
    )


def test_binary_command_has_no_host(tmp_path):
    values = serve.ServeSettings(tmp_path).flag_values()
    assert tfserving.binary_command("/bin/tms", values, ["--enable_batching"]) == [
        "/bin/tms",
        "--model_name=emotion",
        f"--model_base_path={tmp_path}",
        "--port=8500",
        "--rest_api_port=8501",
        "--enable_batching",
    ]


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
