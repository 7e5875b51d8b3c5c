import os
import pathlib

import pytest

from emotion_pipeline.components import served_model
from emotion_pipeline.components.served_model import (
    describe_served,
    digest_files,
    fetch_version,
    newest_version,
    version_files,
)
from emotion_pipeline.components.sources.object_store import StoredFile


@pytest.fixture
def pushed(tmp_path):
    """A push folder whose version 9 is served: 10 is no SavedModel, and `x` no version."""
    for name in ("7/saved_model.pb", "9/saved_model.pb", "10/part", "x/saved_model.pb"):
        path = tmp_path / name
        path.parent.mkdir()
        path.write_bytes(name.encode())
    (tmp_path / "9" / "variables").mkdir()
    (tmp_path / "9" / "variables" / "index").write_bytes(b"index")
    return str(tmp_path)


@pytest.fixture
def stored(pushed, monkeypatch):
    """The same folder as a store's, at an address that ends in a slash."""
    address = "s3://bucket/pushed/"

    def list_stored(listed):
        folder = pathlib.Path(
            pushed, listed.rstrip("/").removeprefix("s3://bucket/pushed").strip("/")
        )
        return [
            StoredFile(str(path), path.relative_to(folder).as_posix(), path.stat().st_size, 0.0)
            for path in sorted(folder.rglob("*"))
            if path.is_file()
        ]

    monkeypatch.setattr(served_model, "list_stored", list_stored)
    return address


def test_the_largest_version_with_a_graph_is_served(pushed, stored, tmp_path):
    assert newest_version(pushed) == newest_version(stored) == 9
    assert newest_version(str(tmp_path / "none")) is None
    assert describe_served(str(tmp_path / "none")) == "none"
    assert describe_served(str(tmp_path / "10")) == "none"


@pytest.mark.parametrize("end", ["", "/"])
def test_a_version_is_described_by_its_number_and_all_that_is_in_it(pushed, stored, end):
    told = describe_served(pushed + end)
    version, digest = told.split("-")
    assert (version, len(digest)) == ("9", 16)
    assert describe_served(stored) == told
    files = version_files(pushed + end, 9)
    assert files == {
        name: os.path.join(pushed, "9", name) for name in ("saved_model.pb", "variables/index")
    }
    assert digest_files(files)[:16] == digest
    pathlib.Path(pushed, "7", "saved_model.pb").write_bytes(b"another")
    assert describe_served(pushed) == told
    pathlib.Path(pushed, "9", "variables", "index").write_bytes(b"another")
    assert describe_served(pushed) != told


def test_the_hash_is_that_of_earlier_runs(tmp_path):
    """It is in the metadata of every root: another one would train and judge anew."""
    (tmp_path / "a").write_bytes(b"x")
    (tmp_path / "b").write_bytes(b"y")
    files = {"b": str(tmp_path / "b"), "a": str(tmp_path / "a")}
    assert digest_files(files) == digest_files(dict(sorted(files.items())))
    of_both = "723d0699581e47408a9fcad14c3380c4478e9508870d227771068bd73bce5296"
    assert digest_files(files) == of_both


def test_a_version_that_is_not_there_has_no_files(pushed):
    assert version_files(pushed, 8) == {}


def test_a_version_is_copied(pushed, stored, tmp_path_factory, monkeypatch):
    names = {"saved_model.pb", "variables/index"}
    copied = tmp_path_factory.mktemp("copied") / "here"
    fetch_version(pushed + "/", 9, str(copied))
    assert {p.relative_to(copied).as_posix() for p in copied.rglob("*") if p.is_file()} == names
    asked = []
    monkeypatch.setattr(served_model, "fetch_stored", lambda files, to: asked.append((files, to)))
    fetch_version(stored, 9, str(copied))
    ((files, to),) = asked
    assert ({file.path for file in files}, to) == (names, copied)
