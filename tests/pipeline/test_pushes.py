"""What ML Metadata believes of a push folder, and what is there."""

import shutil

import pytest
from ml_metadata.proto import metadata_store_pb2 as mlmd
from tfx.orchestration import metadata
from tfx.types import standard_artifacts

from emotion_pipeline.local_runner import metadata_connection
from emotion_pipeline.pushes import forget_unserved


def write_model(folder, content):
    (folder / "variables").mkdir(parents=True)
    (folder / "saved_model.pb").write_text(content)
    (folder / "variables" / "data").write_text(content)


@pytest.fixture
def recorded(tmp_path):
    """A root with a push on record, and its push folder."""
    push_dir, record = tmp_path / "pushed", tmp_path / "record"
    write_model(push_dir / "7", "seven")
    write_model(record, "seven")
    connection = metadata_connection(tmp_path)

    def record_push(pushed, destination):
        artifact = standard_artifacts.PushedModel()
        artifact.uri = str(record)
        artifact.set_int_custom_property("pushed", pushed)
        artifact.set_string_custom_property("pushed_destination", destination)
        artifact.set_string_custom_property("pushed_version", destination.rpartition("/")[2])
        artifact.mlmd_artifact.state = mlmd.Artifact.LIVE
        with metadata.Metadata(connection) as handle:
            type_id = handle.store.put_artifact_type(artifact.artifact_type)
            artifact.mlmd_artifact.type_id = type_id
            handle.store.put_artifacts([artifact.mlmd_artifact])

    record_push(1, str(push_dir / "7"))
    record_push(0, "")
    record_push(1, str(tmp_path / "elsewhere" / "7"))
    return connection, push_dir


def states(connection):
    with metadata.Metadata(connection) as handle:
        return [mlmd.Artifact.State.Name(one.state) for one in handle.store.get_artifacts()]


def test_what_is_there_stays(recorded):
    connection, push_dir = recorded
    forget_unserved(connection, str(push_dir))
    assert states(connection) == ["LIVE", "LIVE", "LIVE"]


@pytest.mark.parametrize("fate", ["emptied", "version deleted", "half deleted", "edited"])
def test_what_is_gone_or_another_is_forgotten(recorded, fate):
    connection, push_dir = recorded
    if fate == "emptied":
        shutil.rmtree(push_dir)
    elif fate == "version deleted":
        shutil.rmtree(push_dir / "7")
    elif fate == "half deleted":
        (push_dir / "7" / "variables" / "data").unlink()
    else:
        (push_dir / "7" / "saved_model.pb").write_text("edited")
    forget_unserved(connection, str(push_dir))
    assert states(connection) == ["DELETED", "LIVE", "LIVE"]


def test_before_the_first_push_there_is_nothing_to_forget(tmp_path):
    connection = metadata_connection(tmp_path)
    forget_unserved(connection, str(tmp_path / "pushed"))
    assert states(connection) == []
