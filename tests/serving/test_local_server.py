import pathlib
import stat
import tempfile

import grpc
import pytest

from benchmarks.serving.hostile_images import jpeg
from emotion_faces import local_server
from emotion_faces.client import EmotionClient
from emotion_faces.protos import model_management_pb2, model_service_pb2_grpc

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def _cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def test_a_folder_is_served_to_its_user_alone(models_dir):
    with local_server.serve_folder(models_dir / "emotion") as address:
        assert address.startswith("unix:/")
        folder = pathlib.Path(address.removeprefix("unix:")).parent
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        with EmotionClient(address) as client:
            (answer,) = client.predict([jpeg()])
            assert answer.model_version == 1
        with grpc.insecure_channel(address) as channel, pytest.raises(grpc.RpcError) as refused:
            model_service_pb2_grpc.ModelServiceStub(channel).HandleReloadConfigRequest(
                model_management_pb2.ReloadConfigRequest(), timeout=10
            )
        assert refused.value.code() is grpc.StatusCode.PERMISSION_DENIED
    assert not folder.exists()


def test_a_folder_of_too_long_a_name_for_a_socket(models_dir, tmp_path, monkeypatch):
    long = tmp_path / ("x" * 120)
    long.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(long))
    with local_server.serve_folder(models_dir / "emotion") as address:
        assert address.startswith("127.0.0.1:")
        with EmotionClient(address) as client:
            assert client.wait_until_ready(10) == 1
