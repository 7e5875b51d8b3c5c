"""C64 and C68 under load: versions swapped while clients call as fast as they can, and memory."""

import shutil
import statistics
import threading
import time

import grpc
import psutil
import pytest
import yaml
from tensorflow_serving.config import model_server_config_pb2

from benchmarks.serving import hostile_images, soak
from tests.serving import models
from tests.serving.conformance import fixture_models, harness
from tests.serving.conformance.harness import State

pytestmark = pytest.mark.slow

PUSHES = 20
CORRUPT = 10


def test_c64_hot_swap_under_load_loses_no_call(lifecycle, base_path):
    fixture_models.write_half_plus_version(base_path, 1)
    lifecycle.reload(
        model_server_config_pb2.ModelConfig(
            name="swap", base_path=str(base_path), model_platform="tensorflow"
        )
    )
    pushes = [(version, version == CORRUPT) for version in range(2, PUSHES + 2)]
    swap = soak.swap_under_load(lifecycle, "swap", base_path, pushes, clients=8)
    assert swap.failures == []
    assert swap.stale() == []
    good = set(range(1, PUSHES + 2)) - {CORRUPT}
    assert set(swap.answers) == good  # each good version answered, the corrupt one never
    assert swap.calls == sum(swap.answers.values())


def test_deviation_a_backlog_of_versions_is_not_loaded(can_start, tmp_path):
    """Real TF Serving loads every version that it ever saw, and drops none before the newest."""
    base_path = tmp_path / "models" / "m"
    fixture_models.write_signatures(base_path, 1)
    slow = fixture_models.predict_request("m", "slow", seconds=[2.0])  # each load takes 2 s
    staged = models.copy_version(base_path / "1", tmp_path / "staged")
    fixture_models.write_warmup(staged, [slow])
    flags = ("--model_name=m", f"--model_base_path={base_path}")
    with harness.running(tmp_path / "log", *flags) as server:
        held, over = [], threading.Event()
        started = time.monotonic()
        models.copy_version(staged, base_path / "2")
        server.wait_for("m", 2, "AVAILABLE", timeout=60)
        alone = time.monotonic() - started

        def watch():
            while not over.wait(0.05):
                states = [status.state for status in server.status("m").values()]
                held.append(sum(s in (State.LOADING, State.AVAILABLE) for s in states))

        watcher = threading.Thread(target=watch)
        watcher.start()
        for version in range(3, 11):
            models.copy_version(staged, base_path / str(version))
            time.sleep(0.2)
        pushed = time.monotonic()
        server.wait_for("m", 10, "AVAILABLE", timeout=120)
        reached = time.monotonic() - pushed
        over.set()
        watcher.join()
        printed = server.output()
    loaded = [version for version in range(3, 11) if f"version {version} is LOADING" in printed]
    assert 1 <= len(loaded) <= 3, loaded  # what a load under way let pass, and the newest
    assert loaded[-1] == 10
    assert max(held) == 2
    assert reached < 2 * alone + 3  # two loads; others may use the cores by turns


LARGEST_AFTER, LARGEST_PEAK = 1.1, 2.0
"""Resident memory after twenty swaps in that after the first, and the peak in that after the first load."""


def memory_limit():
    """The bytes that the pod of the model server may have, by its manifest."""
    manifest = harness.ROOT / "serving" / "deploy" / "kubernetes" / "model-server.yaml"
    deployment = next(yaml.safe_load_all(manifest.read_text()))
    container = deployment["spec"]["template"]["spec"]["containers"][0]
    return int(container["resources"]["limits"]["memory"].removesuffix("Gi")) * 2**30


def test_memory_of_twenty_swaps(can_start, tmp_path):
    """Under load: no call fails, nothing grows, and the manifest's limit has room."""
    source = models.write_emotion(tmp_path / "source", network=models.specified_network)
    base_path = tmp_path / "models" / "m"
    base_path.mkdir(parents=True)
    models.copy_version(source, base_path / "1")
    request = fixture_models.predict_request("m", image_bytes=[hostile_images.jpeg()])
    failures, calls, sizes, over = [], [], [], threading.Event()

    def call(server):
        while not over.is_set():
            try:
                calls.append(server.predict(request).model_spec.version.value)
            except grpc.RpcError as error:
                failures.append(error.code().name)

    flags = ("--model_name=m", f"--model_base_path={base_path}")
    with harness.running(tmp_path / "log", *flags) as server:
        process = psutil.Process(server.process.pid)
        callers = [threading.Thread(target=call, args=(server,)) for _ in range(4)]
        for caller in callers:
            caller.start()
        try:
            time.sleep(3)
            first = process.memory_info().rss
            soak.reset_peak(process)
            for version in range(2, 22):
                models.copy_version(source, base_path / str(version))
                server.wait_for("m", version, "AVAILABLE", timeout=120)
                server.wait_for("m", version - 1, "END", timeout=60)
                shutil.rmtree(base_path / str(version - 1))
                sizes.append(process.memory_info().rss)
            peak = soak.peak(process)
        finally:
            over.set()
            for caller in callers:
                caller.join()
    assert failures == []
    assert set(calls) >= {1, 21}
    # One alone may be 5 % off: over forty swaps they went from 499 to 547 MiB and back, without a trend.
    assert statistics.median(sizes[-5:]) < LARGEST_AFTER * sizes[0], sizes
    assert peak < LARGEST_PEAK * first, (first, peak)
    assert peak < 0.85 * memory_limit()
