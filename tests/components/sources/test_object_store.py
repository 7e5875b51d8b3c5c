"""Data sets in a store that speaks S3, on this machine."""

import pathlib
import socket
import subprocess
import sys
import time

import pytest

from emotion_pipeline.components.errors import UserError
from emotion_pipeline.components.model_pusher.push import push_version
from emotion_pipeline.components.sources import object_store, resolve
from tests.components.pictures import write_data_set
from tests.components.sources.test_resolve import files, pack

START_TIMEOUT_SECS = 60
NOT_HERE = "boto3 and moto's server, which plays an S3 store, are not installed"


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    """A client of an empty store on loopback, whose address is in the environment."""
    boto3 = pytest.importorskip("boto3", reason=NOT_HERE)
    pytest.importorskip("moto.server", reason=NOT_HERE)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    log = tmp_path_factory.mktemp("store") / "log"
    with open(log, "wb") as file:
        server = subprocess.Popen(
            [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
            stdout=file,
            stderr=file,
        )
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{port}")
        patch.setenv("AWS_ACCESS_KEY_ID", "any")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "any")
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        deadline = time.monotonic() + START_TIMEOUT_SECS
        while True:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            assert server.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.1)
        yield boto3.client("s3")
    server.terminate()
    server.wait(30)


@pytest.fixture
def bucket(client, request) -> str:
    name = f"bucket-{abs(hash(request.node.name))}"
    client.create_bucket(Bucket=name)
    return name


def upload(client, bucket: str, folder: pathlib.Path, prefix: str) -> None:
    for path in folder.rglob("*"):
        if path.is_file():
            key = f"{prefix}/{path.relative_to(folder).as_posix()}"
            client.put_object(Bucket=bucket, Key=key, Body=path.read_bytes())


@pytest.fixture
def pictures(tmp_path) -> pathlib.Path:
    write_data_set(tmp_path / "faces")
    return tmp_path / "faces"


def keys(client, bucket: str) -> list[str]:
    return [one["Key"] for one in client.list_objects_v2(Bucket=bucket).get("Contents", [])]


def test_a_stored_folder_is_copied_and_used(client, bucket, pictures, tmp_path):
    upload(client, bucket, pictures, "sets/faces")
    client.put_object(Bucket=bucket, Key="sets/faces/train/", Body=b"")
    client.put_object(Bucket=bucket, Key="sets/faces-of-others/train/sad/1.jpg", Body=b"x")
    source = resolve.resolve_source(f"s3://{bucket}/sets/faces", tmp_path / "cache")
    assert files(source.root) == files(pictures)
    for path in files(pictures):
        assert (source.root / path).read_bytes() == (pictures / path).read_bytes()
    again = resolve.resolve_source(f"s3://{bucket}/sets/faces/", tmp_path / "cache")
    assert files(again.root) == files(pictures)


def test_a_change_in_the_store_is_another_source(client, bucket, pictures, tmp_path):
    upload(client, bucket, pictures, "faces")
    address = f"s3://{bucket}/faces"
    before = resolve.fingerprint_source(address)
    assert resolve.fingerprint_source(address) == before
    first = resolve.resolve_source(address, tmp_path / "cache").root
    path = sorted(files(pictures))[0]
    client.put_object(Bucket=bucket, Key=f"faces/{path}", Body=b"changed")
    assert resolve.fingerprint_source(address) != before
    second = resolve.resolve_source(address, tmp_path / "cache").root
    assert second != first
    assert (second / path).read_bytes() == b"changed"


def test_a_stored_zip_is_unpacked(client, bucket, pictures, tmp_path):
    packed = pack(pictures, tmp_path / "faces.zip")
    client.put_object(Bucket=bucket, Key="faces.zip", Body=packed.read_bytes())
    source = resolve.resolve_source(f"s3://{bucket}/faces.zip", tmp_path / "cache")
    assert files(source.root) == files(pictures)


def test_says_what_is_wrong(client, bucket, tmp_path):
    with pytest.raises(UserError, match=f"s3://{bucket}/none: nothing is stored there"):
        resolve.resolve_source(f"s3://{bucket}/none", tmp_path / "cache")
    with pytest.raises(UserError, match=r"s3://no-such-bucket/x: (cannot be listed|nothing is)"):
        resolve.resolve_source("s3://no-such-bucket/x", tmp_path / "cache")
    client.put_object(Bucket=bucket, Key="set/train/../../../escaped.jpg", Body=b"x")
    with pytest.raises(UserError, match="a name that is no path below"):
        resolve.resolve_source(f"s3://{bucket}/set", tmp_path / "cache")
    assert not list((tmp_path / "cache").glob("*"))


def test_an_object_that_changes_while_it_is_copied_is_told(client, bucket, tmp_path):
    client.put_object(Bucket=bucket, Key="a/b.jpg", Body=b"12345")
    listed = object_store.list_stored(f"s3://{bucket}/a")
    client.put_object(Bucket=bucket, Key="a/b.jpg", Body=b"123")
    with pytest.raises(UserError, match=r"a/b\.jpg: .*"):
        object_store.fetch_stored(listed, tmp_path)


def test_a_model_is_pushed_with_its_graph_last_and_once(client, bucket, tmp_path, monkeypatch):
    model = tmp_path / "model"
    (model / "variables").mkdir(parents=True)
    (model / "saved_model.pb").write_bytes(b"graph")
    (model / "variables" / "variables.index").write_bytes(b"index")
    (model / "zebra.txt").write_bytes(b"z")
    base = f"s3://{bucket}/pushed/emotion"
    version = push_version(str(model), base)
    stored = client.list_objects_v2(Bucket=bucket)["Contents"]
    prefix = f"pushed/emotion/{version}"
    assert {one["Key"] for one in stored} == {
        f"{prefix}/saved_model.pb",
        f"{prefix}/variables/variables.index",
        f"{prefix}/zebra.txt",
    }
    body = client.get_object(Bucket=bucket, Key=f"{prefix}/saved_model.pb")["Body"].read()
    assert body == b"graph"
    assert push_version(str(model), f"{base}/") == version
    (model / "saved_model.pb").write_bytes(b"another")
    assert push_version(str(model), base) > version

    # Cut off before the graph: the next push takes a new number.
    def cut_off(path, *_):
        raise KeyboardInterrupt(path)

    (model / "saved_model.pb").write_bytes(b"third")
    created = []
    create = object_store.FileSystems.create
    with monkeypatch.context() as patch:

        def stop_at_graph(path, *arguments, **options):
            created.append(path)
            return (cut_off if path.endswith(".pb") else create)(path, *arguments, **options)

        patch.setattr(object_store.FileSystems, "create", stop_at_graph)
        with pytest.raises(KeyboardInterrupt):
            push_version(str(model), base)
    half = created[-1].rsplit("/", 2)[1]
    assert len(created) == 4  # the claim of the number, two files, and the graph
    assert f"pushed/emotion/{half}/saved_model.pb" not in keys(client, bucket)
    whole = push_version(str(model), base)
    assert whole > int(half)
    assert f"pushed/emotion/{whole}/saved_model.pb" in keys(client, bucket)


def test_one_object_is_read_whole_and_a_folder_is_refused(client, bucket):
    client.put_object(Bucket=bucket, Key="data/votes.csv", Body=b"file,happy\n")
    assert object_store.read_stored(f"s3://{bucket}/data/votes.csv") == b"file,happy\n"
    for address in (f"s3://{bucket}/data", f"s3://{bucket}/none.csv"):
        with pytest.raises(UserError, match=f"{address}: no object is stored there"):
            object_store.read_stored(address)


def test_an_address_in_s3_without_a_key_is_refused_at_once(tmp_path, monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name in ("AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    with pytest.raises(UserError, match=r"^s3://any/faces: no key for S3 is found: set AWS_ACCESS"):
        object_store.list_stored("s3://any/faces")
