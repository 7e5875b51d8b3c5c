import json
import pathlib
import signal
import subprocess

import pytest

from emotion_pipeline.components.errors import UserError
from emotion_pipeline.engines import cluster
from emotion_pipeline.engines.flink import task_manager_settings
from emotion_pipeline.engines.network import Host
from emotion_pipeline.engines.services import ServiceSpec, start, stop


def test_a_task_managers_memory_adds_up_to_what_it_is_given():
    settings = task_manager_settings(slots=2)
    assert settings["taskmanager.numberOfTaskSlots"] == "2"
    memory = {key: value for key, value in settings.items() if ".memory." in key}
    assert {key.rsplit(".", 1)[0] for key in memory if "network" in key} == {
        "taskmanager.memory.network"
    }
    # The least that Transform's shuffles need was found between 128 and 400 MB.
    assert settings["taskmanager.memory.network.min"] == "400m"
    assert settings["taskmanager.memory.network.min"] == settings["taskmanager.memory.network.max"]
    assert all(value.endswith("m") for value in memory.values())


def test_commands_run_in_their_namespace():
    assert Host().command(["java", "X"]) == ["java", "X"]
    inside = Host("10.0.0.2", "0.0.0.0", "two").command(["java", "X"])
    assert pathlib.Path(inside[0]).name == "ip"
    assert inside[1:] == ["netns", "exec", "two", "java", "X"]


def test_a_service_is_started_known_again_and_ended_with_its_children(tmp_path):
    parent = "sleep 600 & echo $! $GREETING; wait"
    service = start(ServiceSpec("one", ["sh", "-c", parent], {"GREETING": "hello"}), tmp_path)
    log = tmp_path / "one.log"
    while not log.read_text().endswith("hello\n"):
        assert service.is_running()
    child = int(log.read_text().split()[0])
    stop([service])
    assert not service.is_running()
    # It may still be listed until somebody asks for its exit status.
    listed = subprocess.run(["ps", "-o", "stat=", "-p", str(child)], capture_output=True, text=True)
    assert listed.stdout[:1] in ("", "Z")
    # Nothing is sent to a later process that has the same id.
    service.kill(signal.SIGKILL)


def test_says_where_no_cluster_is(tmp_path):
    with pytest.raises(UserError, match="no cluster was started there"):
        cluster.status(tmp_path)
    with pytest.raises(UserError, match="no cluster was started there"):
        cluster.down(tmp_path)


def test_refuses_a_second_cluster_in_the_same_folder_and_ends_what_is_left_of_one(tmp_path):
    service = start(ServiceSpec("pool-1", ["sleep", "600"]), tmp_path)
    one = cluster.Cluster("flink", str(tmp_path), 1, "127.0.0.1:1", "127.0.0.1:2", (service,))
    (tmp_path / "cluster.json").write_text(
        json.dumps({**vars(one), "services": [vars(service)]}), encoding="utf-8"
    )
    assert cluster.status(tmp_path) == (one, {"pool-1": True})
    with pytest.raises(UserError, match="a cluster was started there"):
        cluster.up(tmp_path)
    cluster.down(tmp_path)
    assert not service.is_running()
    assert not (tmp_path / "cluster.json").exists()
