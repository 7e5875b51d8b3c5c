"""Fixtures of the conformance suite: the fixture models, and servers shared by many cases."""

import os

import pytest

from tests.serving.conformance import deviations, fixture_models, harness

HERE = os.path.dirname(os.path.abspath(__file__))


def pytest_collection_modifyitems(items):
    """Expects of another server, by name, what this project's server does otherwise."""
    if not harness.is_foreign():
        return
    for item in items:
        reason = deviations.REASONS.get(item.originalname if hasattr(item, "originalname") else "")
        if reason and str(item.path).startswith(HERE):
            item.add_marker(pytest.mark.xfail(reason=f"a deviation: {reason}", strict=False))


@pytest.fixture(scope="session")
def fixture_dir(tmp_path_factory):
    """A directory with every fixture model and config file."""
    return fixture_models.write_all(tmp_path_factory.mktemp("fixture_models"))


@pytest.fixture(scope="session")
def server(fixture_dir, tmp_path_factory):
    """The server of the stateless cases, serving the fixture models; nobody changes its config."""
    target = os.environ.get("SERVING_TARGET")
    if target:
        address, rest_port = target.split(",")
        host, grpc_port = address.rsplit(":", 1)
        yield harness.Server(host, int(grpc_port), int(rest_port))
        return
    flags = [flag.format(dir=fixture_dir) for flag in fixture_models.SHARED_FLAGS]
    with harness.running(tmp_path_factory.mktemp("shared") / "log", *flags) as shared:
        yield shared


@pytest.fixture(scope="session")
def can_start():
    """Skips cases that start a server of their own where only a running target is given."""
    if os.environ.get("SERVING_TARGET") and not os.environ.get("SERVING_COMMAND"):
        pytest.skip(
            "starts a server of its own: SERVING_TARGET names a running one and no "
            "SERVING_COMMAND says how to start another"
        )


@pytest.fixture(scope="session")
def lifecycle(can_start, fixture_dir, tmp_path_factory):
    """A server whose models each lifecycle case replaces (HandleReloadConfigRequest)."""
    directory = tmp_path_factory.mktemp("lifecycle")
    config = directory / "models.config"
    config.write_text(
        'model_config_list { config { name: "first" model_platform: "tensorflow" '
        f'base_path: "{fixture_dir}/models/half_plus_version" }} }}'
    )
    with harness.running(
        directory / "log",
        f"--model_config_file={config}",
        "--file_system_poll_wait_seconds=1",
        "--max_num_load_retries=1",
        "--load_retry_interval_micros=1500000",
        f"--grpc_socket_path={directory}/socket",
    ) as server:
        server.config_file = config
        server.socket = directory / "socket"
        yield server


@pytest.fixture
def base_path(tmp_path):
    """The base path of a model of the test's own, not yet there."""
    return tmp_path / "models" / "m"
