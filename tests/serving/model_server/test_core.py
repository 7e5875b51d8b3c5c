import threading

import pytest
from google.protobuf import text_format

from emotion_faces.model_server import core, source, status, versions
from emotion_faces.protos import model_pb2, model_server_config_pb2


class FakeServable:
    def __init__(self, name, version, path):
        self.name, self.version, self.closed = name, version, False

    def close(self):
        self.closed = True


def make_config(text):
    config = model_server_config_pb2.ModelServerConfig()
    return text_format.Parse(text, config)


def one_model(base_path, extra="", name="m"):
    return make_config(
        f'model_config_list {{ config {{ name: "{name}" base_path: "{base_path}" '
        f'model_platform: "tensorflow" {extra} }} }}'
    )


@pytest.fixture
def base_path(tmp_path):
    path = tmp_path / "m"
    for version in (1, 2, 3):
        (path / str(version)).mkdir(parents=True)
    return path


@pytest.fixture
def make_core():
    made = []

    def make(**options):
        made.append(core.ServerCore(FakeServable, versions.RetryPolicy(0, 0), **options))
        return made[-1]

    yield make
    for server_core in made:
        server_core.stop(10)


def version_of(server_core, **spec):
    request = model_pb2.ModelSpec(name=spec.pop("name", "m"))
    if "version" in spec:
        request.version.value = spec["version"]
    if "label" in spec:
        request.version_label = spec["label"]
    with server_core.acquire(request) as model:
        return model.version


def test_latest_is_served(make_core, base_path):
    server_core = make_core()
    server_core.start(one_model(base_path))
    assert version_of(server_core) == 3
    with pytest.raises(
        status.StatusError, match=r"Servable not found for request: Specific\(m, 9\)"
    ):
        version_of(server_core, version=9)
    with pytest.raises(status.StatusError, match=r"Latest\(x\)"):
        version_of(server_core, name="x")


def test_labels_move_between_loaded_versions(make_core, base_path):
    server_core = make_core()
    everything = "model_version_policy { all {} }"
    server_core.start(one_model(base_path, everything))
    assert server_core._models["m"].wait(lambda entries: len(entries) == 3, 10)
    assert server_core._models["m"].wait(
        lambda entries: all(entry.state is versions.State.AVAILABLE for entry in entries), 10
    )
    for version in (1, 2):
        label = f'version_labels {{ key: "stable" value: {version} }}'
        server_core.reload(one_model(base_path, everything + label))
        assert version_of(server_core, label="stable") == version
    with pytest.raises(status.StatusError, match="Unrecognized servable version label: x"):
        version_of(server_core, label="x")
    label = 'version_labels { key: "stable" value: 9 }'
    with pytest.raises(status.StatusError, match="assign label to version 9 of model m"):
        server_core.reload(one_model(base_path, everything + label))
    assert version_of(server_core, label="stable") == 2


def test_models_that_a_reload_leaves_out_are_unloaded(make_core, base_path):
    server_core = make_core()
    server_core.start(one_model(base_path))
    server_core.reload(one_model(base_path, name="n"))
    assert version_of(server_core, name="n") == 3
    assert server_core._models["m"].wait(
        lambda entries: all(entry.state is versions.State.END for entry in entries), 10
    )
    assert server_core.model_names() == ["n"]


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (make_config(""), "Only ModelConfigList is currently supported"),
        (one_model("relative"), "absolute path or URI; got"),
        (
            make_config('model_config_list { config { name: "m" base_path: "/m" } }'),
            "Illegal setting neither",
        ),
        (
            make_config(
                'model_config_list { config { name: "m" base_path: "/m" model_platform: '
                '"tensorflow" } config { name: "m" } }'
            ),
            "Illegal to list model m multiple times",
        ),
        (
            make_config(
                'model_config_list { config { name: "m" base_path: "/m" model_platform: "x" } }'
            ),
            "Illegal to change a model's platform",
        ),
    ],
)
def test_refused_configs(make_core, base_path, config, message):
    server_core = make_core()
    server_core.start(one_model(base_path))
    with pytest.raises(status.StatusError, match=message):
        server_core.reload(config)
    assert version_of(server_core) == 3


def test_start_fails_with_the_load(base_path):
    def fail(name, version, path):
        raise status.invalid_argument("corrupt")

    server_core = core.ServerCore(fail, versions.RetryPolicy(0, 0))
    with pytest.raises(status.StatusError, match=r"did not become available.*corrupt"):
        server_core.start(one_model(base_path))
    server_core.stop(10)


def test_stop_closes_what_serves_after_its_calls(make_core, base_path):
    server_core = make_core()
    server_core.start(one_model(base_path))
    with server_core.acquire(model_pb2.ModelSpec(name="m")) as model:
        server_core.stop(0.1)
        assert not model.closed
    server_core.stop(10)
    assert model.closed
    with pytest.raises(status.StatusError, match=r"Latest\(m\)"):
        version_of(server_core)


@pytest.mark.parametrize("nowhere", ["/there/is/none", r"/a\000b", "/" + "x" * 5000])
def test_a_folder_that_can_not_be_read_ends_no_other_look(make_core, base_path, nowhere):
    server_core = make_core(poll_secs=0.05)
    config = one_model(nowhere, name="a")
    config.MergeFrom(one_model(base_path))
    server_core.start(one_model(base_path))
    reload = threading.Thread(target=server_core.reload, args=(config,), daemon=True)
    reload.start()  # waits for a version of the other
    (base_path / "4").mkdir()
    assert server_core._models["m"].wait(
        lambda entries: (entries[0].version, entries[0].state) == (4, versions.State.AVAILABLE), 10
    )


def test_versions_in_a_folder(tmp_path):
    too_large = ("9223372036854775808", "20261201033710104818555", "9" * 250)
    for name in ("1", "00000123", "x", "-4", "1.5", "\u00b2", *too_large):
        (tmp_path / name).mkdir()
    (tmp_path / "7").write_text("a file")
    assert sorted(source.list_versions(str(tmp_path))) == [1, 123]


@pytest.mark.parametrize(
    ("policy", "wanted"),
    [
        ("", {3}),
        ("latest { num_versions: 2 }", {2, 3}),
        ("all {}", {1, 2, 3}),
        ("specific { versions: 1 versions: 9 }", {1}),
    ],
)
def test_policies(base_path, policy, wanted):
    config = one_model(base_path, f"model_version_policy {{ {policy} }}")
    found = source.list_versions(str(base_path))
    model = config.model_config_list.config[0]
    assert set(source.choose_versions(found, model.model_version_policy)) == wanted
