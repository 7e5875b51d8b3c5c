"""C61 to C79: versions, configs, labels, warm-up and batching of a running server."""

import concurrent.futures
import itertools
import os
import shutil
import threading
import time

import grpc
import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis import model_management_pb2
from tensorflow_serving.config import model_server_config_pb2

from tests.serving.conformance import fixture_models, harness
from tests.serving.conformance.fixture_models import predict_request
from tests.serving.conformance.harness import State, rpc_error
from tests.serving.models import copy_version

pytestmark = pytest.mark.slow


def config(name, base_path, platform="tensorflow", **policy):
    """A ModelConfig; policy is latest=N, all=True, specific=[...], or labels={...}."""
    served = model_server_config_pb2.ModelConfig(
        name=name, base_path=str(base_path), model_platform=platform
    )
    for label, version in policy.pop("labels", {}).items():
        served.version_labels[label] = version
    if "latest" in policy:
        served.model_version_policy.latest.num_versions = policy["latest"]
    if "all" in policy:
        served.model_version_policy.all.SetInParent()
    if "specific" in policy:
        served.model_version_policy.specific.versions.extend(policy["specific"])
    return served


def write_versions(base_path, *versions):
    for version in versions:
        fixture_models.write_half_plus_version(base_path, version)


def served_version(server, model, label=None):
    """The version that answers, after checking that the answer is that version's."""
    request = predict_request(model, x=np.float32([0]))
    if label:
        request.model_spec.version_label = label
    answer = server.predict(request)
    assert answer.outputs["y"].float_val == [answer.model_spec.version.value]
    return answer.model_spec.version.value


def available(server, model):
    return sorted(v for v, s in server.status(model).items() if s.state == State.AVAILABLE)


def reload_error(server, *configs):
    with pytest.raises(grpc.RpcError) as error:
        server.reload(*configs)
    return error.value.code().name, error.value.details()


def test_c62_version_names(lifecycle, base_path):
    write_versions(base_path, 7)
    (base_path / "7").rename(base_path / "00000123")
    (base_path / "notes").mkdir()
    (base_path / "1.5").mkdir()
    (base_path / "readme.txt").write_text("not a version")
    lifecycle.reload(config("c62", base_path, all=True))
    assert list(lifecycle.status("c62")) == [123]
    answer = lifecycle.predict(predict_request("c62", x=[0.0]))
    assert (answer.model_spec.version.value, answer.outputs["y"].float_val) == (123, [7])


def test_c63_version_policies(lifecycle, base_path):
    write_versions(base_path, 1, 2, 3)
    lifecycle.reload(
        config("c63_default", base_path),
        config("c63_latest", base_path, latest=2),
        config("c63_all", base_path, all=True),
        config("c63_specific", base_path, specific=[1, 3, 9]),
    )
    # The call waits for one version a model only.
    lifecycle.wait_for("c63_latest", 2, "AVAILABLE")
    for version in (1, 2):
        lifecycle.wait_for("c63_all", version, "AVAILABLE")
    lifecycle.wait_for("c63_specific", 1, "AVAILABLE")
    assert available(lifecycle, "c63_default") == [3]
    assert available(lifecycle, "c63_latest") == [2, 3]
    assert available(lifecycle, "c63_all") == [1, 2, 3]
    assert available(lifecycle, "c63_specific") == [1, 3]
    lifecycle.wait_for_output("version 9")


def test_c64_calls_in_flight_finish_on_the_old_version(lifecycle, base_path):
    fixture_models.write_signatures(base_path, 1)
    lifecycle.reload(config("c64", base_path))
    in_flight = lifecycle.predictions.Predict.future(
        predict_request("c64", "slow", seconds=[6.0]), timeout=60
    )
    time.sleep(0.3)
    copy_version(base_path / "1", base_path / "2")
    quick = predict_request("c64", "echo", x=[1.0])
    while lifecycle.predict(quick).model_spec.version.value == 1:
        assert not in_flight.done(), "no new version answers while a call is under way"
        time.sleep(0.05)
    answer = in_flight.result()
    assert answer.model_spec.version.value == 1
    assert answer.outputs["waited"].float_val == [6]
    lifecycle.wait_for("c64", 1, "END")
    lifecycle.wait_for("c64", 2, "AVAILABLE")


def test_deviation_a_version_that_answers_is_available(lifecycle, base_path):
    """Real TF Serving says so only when every call under way, on any model, has ended."""
    fixture_models.write_signatures(base_path, 1)
    lifecycle.reload(config("answers", base_path))
    in_flight = lifecycle.predictions.Predict.future(
        predict_request("answers", "slow", seconds=[6.0]), timeout=60
    )
    time.sleep(0.3)
    copy_version(base_path / "1", base_path / "2")
    quick = predict_request("answers", "echo", x=[1.0])
    while lifecycle.predict(quick).model_spec.version.value == 1:
        time.sleep(0.05)
    assert lifecycle.status("answers")[2].state == State.AVAILABLE
    assert not in_flight.done()
    in_flight.result()


def test_c65_deleting_the_newest_version_rolls_back(lifecycle, base_path):
    write_versions(base_path, 1, 2)
    lifecycle.reload(config("c65", base_path))
    assert served_version(lifecycle, "c65") == 2
    shutil.rmtree(base_path / "2")
    lifecycle.wait_for("c65", 2, "END")
    assert served_version(lifecycle, "c65") == 1


def test_c66_deleting_every_version_unloads_everything(lifecycle, base_path):
    write_versions(base_path, 1)
    lifecycle.reload(config("c66", base_path))
    assert served_version(lifecycle, "c66") == 1
    shutil.rmtree(base_path / "1")
    lifecycle.wait_for("c66", 1, "END")
    assert rpc_error(lifecycle.predict, predict_request("c66", x=[1.0])) == (
        "NOT_FOUND",
        "Servable not found for request: Latest(c66)",
    )


def test_c67_corrupt_version_is_retried_then_given_up(lifecycle, base_path):
    write_versions(base_path, 1)
    lifecycle.reload(config("c67", base_path))
    fixture_models.write_corrupt(base_path, 2)
    lifecycle.wait_for("c67", 2, "LOADING")
    assert served_version(lifecycle, "c67") == 1
    failed = lifecycle.wait_for("c67", 2, "END")
    assert failed.status.error_code != 0
    assert served_version(lifecycle, "c67") == 1
    write_versions(base_path, 3)
    lifecycle.wait_for("c67", 3, "AVAILABLE")
    assert served_version(lifecycle, "c67") == 3


def test_deviation_a_corrupt_version_pushed_again_loads(lifecycle, base_path):
    """In real TF Serving a number that failed once stays END for good."""
    write_versions(base_path, 1)
    lifecycle.reload(config("again", base_path))
    fixture_models.write_corrupt(base_path, 2)
    lifecycle.wait_for("again", 2, "END")
    good = fixture_models.write_half_plus_version(base_path.parent / "good", 2)
    shutil.copytree(good, base_path / "2", dirs_exist_ok=True)  # repaired in place: not seen
    time.sleep(2.5)
    assert lifecycle.status("again")[2].state == State.END
    assert served_version(lifecycle, "again") == 1
    os.rename(base_path / "2", base_path.parent / "repaired")
    time.sleep(2.5)
    os.rename(base_path.parent / "repaired", base_path / "2")
    lifecycle.wait_for("again", 2, "AVAILABLE")
    assert served_version(lifecycle, "again") == 2


def test_c68_a_good_higher_version_loads_despite_a_corrupt_one(lifecycle, base_path):
    """Deviation 4 as well: here the load does not wait for the corrupt version's retries."""
    write_versions(base_path, 1)
    lifecycle.reload(config("c68", base_path, latest=2))
    fixture_models.write_corrupt(base_path, 2)
    lifecycle.wait_for("c68", 2, "LOADING")
    write_versions(base_path, 3)
    lifecycle.wait_for("c68", 3, "AVAILABLE")
    assert served_version(lifecycle, "c68") == 3


def test_c69_reload_returns_when_the_new_models_serve(lifecycle, base_path):
    write_versions(base_path, 1)
    lifecycle.reload(config("c69_old", base_path))
    answer = lifecycle.reload(config("c69_new", base_path), config("c69_newer", base_path))
    assert (answer.status.error_code, answer.status.error_message) == (0, "")
    assert served_version(lifecycle, "c69_new") == 1
    assert served_version(lifecycle, "c69_newer") == 1
    lifecycle.wait_for("c69_old", 1, "END")
    assert rpc_error(lifecycle.predict, predict_request("c69_old", x=[1.0]))[0] == "NOT_FOUND"


def test_c70_duplicate_names(lifecycle, base_path):
    write_versions(base_path, 1)
    served = config("c70", base_path)
    assert reload_error(lifecycle, served, served) == (
        "INVALID_ARGUMENT",
        "Illegal to list model c70 multiple times in config list",
    )


def test_c71_relative_path(lifecycle):
    assert reload_error(lifecycle, config("c71", "models/m")) == (
        "INVALID_ARGUMENT",
        "Expected model c71 to have an absolute path or URI; got base_path()=models/m",
    )


def test_c72_platform_change(lifecycle, base_path):
    write_versions(base_path, 1)
    lifecycle.reload(config("c72", base_path))
    code, text = reload_error(lifecycle, config("c72", base_path, platform="other"))
    assert code == "INVALID_ARGUMENT"
    assert text.startswith("Illegal to change a model's platform")
    assert served_version(lifecycle, "c72") == 1


@pytest.fixture
def own(can_start, fixture_dir, tmp_path):
    """A server of the test's own, for what one that is shared may not come back from."""
    listed = tmp_path / "models.config"
    listed.write_text(
        'model_config_list { config { name: "first" model_platform: "tensorflow" '
        f'base_path: "{fixture_dir}/models/half_plus_version" }} }}'
    )
    with harness.running(tmp_path / "log", f"--model_config_file={listed}") as server:
        yield server


def test_c73_no_platform(own, base_path):
    write_versions(base_path, 1)
    code, text = reload_error(own, config("c73", base_path, platform=""))
    assert code == "INVALID_ARGUMENT"
    assert text.startswith("Illegal setting neither ")


def test_deviation_a_refused_config_is_not_kept(own, base_path):
    """Real TF Serving keeps a config without a platform, and refuses each one after it for that."""
    write_versions(base_path, 1)
    assert reload_error(own, config("c73", base_path, platform=""))[0] == "INVALID_ARGUMENT"
    own.reload(config("c73", base_path))
    assert served_version(own, "c73") == 1


def test_deviation_models_named_by_a_flag_are_not_changed_by_a_call(
    can_start, fixture_dir, tmp_path
):
    """Whoever reaches a port of the real server may take its models away."""
    folder = f"{fixture_dir}/models/half_plus_version"
    flags = ("--model_name=m", f"--model_base_path={folder}")
    with harness.running(tmp_path / "log", *flags) as server:
        code, text = reload_error(server, config("other", folder))
        assert code == "PERMISSION_DENIED"
        assert "--allow_reload_config" in text
        assert served_version(server, "m") == 3


def test_c74_empty_config(lifecycle):
    request = model_management_pb2.ReloadConfigRequest()
    assert rpc_error(lifecycle.models.HandleReloadConfigRequest, request) == (
        "INVALID_ARGUMENT",
        "ServerModelConfig type not supported by HandleReloadConfigRequest. "
        "Only ModelConfigList is currently supported",
    )


def test_c75_label_for_a_version_not_available(lifecycle, base_path):
    write_versions(base_path, 1)
    lifecycle.reload(config("c75", base_path))
    assert reload_error(lifecycle, config("c75", base_path, labels={"stable": 2})) == (
        "FAILED_PRECONDITION",
        "Request to assign label to version 2 of model c75, which is not currently available "
        "for inference",
    )
    lifecycle.reload(config("c75", base_path, labels={"stable": 1}))
    assert served_version(lifecycle, "c75", "stable") == 1


def test_c76_moving_a_label_is_atomic(lifecycle, base_path):
    write_versions(base_path, 1, 2)
    lifecycle.reload(config("c76", base_path, all=True))
    for version in (1, 2):
        lifecycle.wait_for("c76", version, "AVAILABLE")
    lifecycle.reload(config("c76", base_path, all=True, labels={"stable": 1}))
    seen, stop = [], threading.Event()

    def call():
        while not stop.is_set():
            seen.append(served_version(lifecycle, "c76", "stable"))

    with concurrent.futures.ThreadPoolExecutor() as pool:
        caller = pool.submit(call)
        for version in (2, 1, 2):
            time.sleep(0.2)
            lifecycle.reload(config("c76", base_path, all=True, labels={"stable": version}))
            assert served_version(lifecycle, "c76", "stable") == version
        stop.set()
        caller.result()
    moves = [b for a, b in itertools.pairwise(seen) if a != b]
    assert seen[0] == 1
    assert moves == [2, 1, 2]


def test_c78_warmup_runs_before_a_version_is_available(lifecycle, base_path):
    fixture_models.write_signatures(base_path, 1)
    lifecycle.reload(config("c78", base_path))

    def push(version, requests):
        staged = copy_version(base_path / "1", base_path.parent / f"staged{version}")
        if isinstance(requests, bytes):
            (staged / "assets.extra").mkdir()
            (staged / "assets.extra" / "tf_serving_warmup_requests").write_bytes(requests)
        else:
            fixture_models.write_warmup(staged, requests)
        os.rename(staged, base_path / str(version))

    slow = predict_request("c78", "slow", seconds=[1.0])
    push(2, [slow, slow])
    lifecycle.wait_for("c78", 2, "LOADING")
    started = time.monotonic()
    lifecycle.wait_for("c78", 2, "AVAILABLE")
    assert time.monotonic() - started > 1.5

    def failure(version):
        return lifecycle.wait_for("c78", version, "END").status

    push(3, [predict_request("c78", "echo", x=[1.0])] * 1001)
    assert failure(3).error_code == tf.errors.INVALID_ARGUMENT
    push(4, b"this is no TFRecord file")
    assert failure(4).error_code == tf.errors.DATA_LOSS
    push(5, [predict_request("c78", "none", x=[1.0])])
    assert failure(5).error_code == tf.errors.FAILED_PRECONDITION
    assert lifecycle.predict(predict_request("c78", "echo", x=[1.0])).model_spec.version.value == 2


def test_deviation_a_missing_base_path_does_not_stop_polling(lifecycle, base_path, tmp_path):
    """In real TF Serving one missing base_path ends version polling of every model (#2189)."""
    write_versions(base_path, 1)
    gone = tmp_path / "models" / "gone"
    write_versions(gone, 1)
    lifecycle.reload(config("a_gone", gone), config("z_polled", base_path))
    shutil.rmtree(gone)
    write_versions(base_path, 2)
    lifecycle.wait_for("z_polled", 2, "AVAILABLE")
    assert served_version(lifecycle, "z_polled") == 2


def test_deviation_a_version_without_variables_is_refused(lifecycle, base_path):
    """Real TF Serving is reported to serve it and fail each request (serving#1086)."""
    write_versions(base_path, 1)
    lifecycle.reload(config("no_variables", base_path))
    half = fixture_models.write_half_plus_version(base_path.parent / "half", 2)
    shutil.rmtree(half / "variables")
    os.rename(half, base_path / "2")
    assert lifecycle.wait_for("no_variables", 2, "END").status.error_code != 0
    assert served_version(lifecycle, "no_variables") == 1


BATCHING = """
max_batch_size {{ value: 8 }}
batch_timeout_micros {{ value: 20000 }}
max_enqueued_batches {{ value: 2 }}
num_batch_threads {{ value: 1 }}
allowed_batch_sizes: 4
allowed_batch_sizes: {largest}
"""


@pytest.fixture(scope="module")
def batching(can_start, fixture_dir, tmp_path_factory):
    """A server that batches up to 8 rows on one thread, with two batches queued at most."""
    directory = tmp_path_factory.mktemp("batching")
    (directory / "batching.config").write_text(BATCHING.format(largest=8))
    with harness.running(
        directory / "log",
        "--model_name=signatures",
        f"--model_base_path={fixture_dir}/models/signatures",
        "--enable_batching=true",
        f"--batching_parameters_file={directory}/batching.config",
        "--rest_api_timeout_in_ms=700",
    ) as server:
        yield server


def test_c79_batching_flags_at_startup(can_start, tmp_path, fixture_dir):
    parameters = tmp_path / "batching.config"
    model = f"--model_base_path={fixture_dir}/models/signatures"
    parameters.write_text(BATCHING.format(largest=8))
    flag = f"--batching_parameters_file={parameters}"
    code, printed = harness.run_to_exit(tmp_path / "log", model, flag)
    assert code != 0
    assert "batching_parameters_file" in printed
    assert "enable_batching" in printed
    parameters.write_text(BATCHING.format(largest=6))
    code, printed = harness.run_to_exit(
        tmp_path / "log", model, flag, "--enable_batching=true", "--max_num_load_retries=0"
    )
    assert code != 0
    assert "allowed_batch_sizes" in printed


def test_c79_batches_and_their_limits(batching):
    def rows(count):
        return predict_request(
            "signatures", x=np.arange(3 * count, dtype=np.float32).reshape(-1, 3)
        )

    for count in (1, 3, 8):
        sums = batching.predict(rows(count)).outputs["sum"].float_val
        assert sums == [9 * row + 3 for row in range(count)]  # padding rows are not among them
    code, text = rpc_error(batching.predict, rows(9))
    assert code == "INVALID_ARGUMENT"
    assert text.startswith("Task size 9 is larger than maximum input batch size 8")


def test_c79_a_full_queue_is_unavailable(batching):
    request = predict_request("signatures", "slow", seconds=[0.5] * 8)
    calls = [batching.predictions.Predict.future(request, timeout=20) for _ in range(12)]
    codes = [call.code().name for call in calls]
    assert set(codes) == {"OK", "UNAVAILABLE"}
    assert 3 <= codes.count("OK") <= 6  # one runs, two wait, and those that came in meanwhile


def test_c79_waiting_in_the_queue_past_the_deadline(batching):
    running = batching.predictions.Predict.future(
        predict_request("signatures", "slow", seconds=[2.0] * 8), timeout=20
    )
    time.sleep(0.3)
    body = {"signature_name": "slow", "instances": [0.0]}
    answer = batching.rest("/v1/models/signatures:predict", body)
    assert answer.code == 429
    assert "Run() timeout exceeded while waiting in batching queue" in answer.error
    assert running.code() == grpc.StatusCode.OK


def test_deviation_one_odd_request_does_not_poison_its_batch(batching):
    """Real TF Serving fails a batch whose requests differ in shape (batching_session.cc)."""
    shapes = [(1, 2), (1, 3), (2, 2), (1, 2), (1, 5), (1, 2)]
    requests = [
        predict_request("signatures", "echo", x=np.full(shape, i, np.float32))
        for i, shape in enumerate(shapes)
    ]
    calls = [batching.predictions.Predict.future(request, timeout=20) for request in requests]
    for i, (shape, call) in enumerate(zip(shapes, calls, strict=True)):
        echoed = tf.make_ndarray(call.result().outputs["y"])
        np.testing.assert_array_equal(echoed, np.full(shape, i, np.float32))
