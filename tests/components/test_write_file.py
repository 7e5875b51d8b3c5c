import os
import resource
import threading

import pytest

from emotion_pipeline.components.write_file import write_whole


@pytest.fixture
def small_files():
    """No file may grow beyond 1000 bytes, as on a disk that is full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_writes_text_and_bytes_with_their_folder(tmp_path):
    write_whole(tmp_path / "a/b.json", "é")
    assert (tmp_path / "a/b.json").read_bytes() == "é".encode()
    write_whole(str(tmp_path / "a/b.json"), b"two")
    assert (tmp_path / "a/b.json").read_bytes() == b"two"
    assert os.listdir(tmp_path / "a") == ["b.json"]


def test_what_was_there_stays_where_the_disk_is_full(tmp_path, small_files):
    target = tmp_path / "summary.json"
    write_whole(target, "good")
    with pytest.raises(OSError, match="File too large") as raised:
        write_whole(target, "x" * 2000)
    assert raised.value.filename == str(target)
    assert target.read_text() == "good"
    assert os.listdir(tmp_path) == ["summary.json"]


def test_writes_through_a_link_and_into_a_pipe(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "real")
    write_whole(tmp_path / "link", "one")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_text() == "one"
    os.mkfifo(tmp_path / "pipe")
    read = []
    reader = threading.Thread(target=lambda: read.append((tmp_path / "pipe").read_text()))
    reader.start()
    write_whole(tmp_path / "pipe", "two")
    reader.join(timeout=10)
    assert read == ["two"]


@pytest.mark.parametrize("name", ["file/below", "folder"])
def test_what_cannot_be_written_is_an_error_of_the_system(tmp_path, name):
    (tmp_path / "file").write_text("")
    (tmp_path / "folder").mkdir()
    with pytest.raises(OSError, match=name.partition("/")[0]):
        write_whole(tmp_path / name, "one")
