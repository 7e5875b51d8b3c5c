import contextlib
import os
import pathlib
import tempfile

import pytest

from emotion_pipeline.components.image_ingest.find_files import find_files


def found(root):
    return [
        (file.path, file.bytes, file.problem and file.problem.value) for file in find_files(root)
    ]


def write(file: pathlib.Path, data: bytes = b"12345") -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(data)


def test_lists_every_file_sorted_by_path(tmp_path):
    for name in ("b/2.jpg", "b/1.jpg", "a b/счастье ñ.jpg", "c.txt", "b.jpg"):
        write(tmp_path / name)
    assert found(tmp_path) == [
        ("a b/счастье ñ.jpg", 5, None),
        ("b.jpg", 5, None),
        ("b/1.jpg", 5, None),
        ("b/2.jpg", 5, None),
        ("c.txt", 5, None),
    ]


def test_marks_hidden_and_system_files(tmp_path):
    for name in (".DS_Store", ".git/config", "__MACOSX/a/1.jpg", "a/Thumbs.db", "a/1.jpg"):
        write(tmp_path / name)
    assert found(tmp_path) == [
        (".DS_Store", 5, "hidden"),
        (".git/config", 5, "hidden"),
        ("__MACOSX/a/1.jpg", 5, "hidden"),
        ("a/1.jpg", 5, None),
        ("a/Thumbs.db", 5, "hidden"),
    ]


def test_follows_links_out_of_the_root_but_not_in_circles(tmp_path):
    write(tmp_path / "outside/2.jpg")
    (tmp_path / "outside/again").symlink_to(tmp_path / "outside")
    (tmp_path / "outside/deeper").symlink_to(tmp_path / "other")
    write(tmp_path / "other/3.jpg")
    (tmp_path / "other/back").symlink_to(tmp_path / "outside")
    (tmp_path / "other/home").symlink_to(tmp_path / "root")
    root = tmp_path / "root"
    write(root / "a/1.jpg")
    links = {
        "a/back": root,
        "a/copy.jpg": root / "a/1.jpg",
        "a/gone.jpg": root / "nothing",
        "a/here": root / "a",
        "a/loop.jpg": root / "a/loop.jpg",
        "a/out": tmp_path / "outside",
        "a/out.jpg": tmp_path / "outside/2.jpg",
        ".hidden": tmp_path / "outside",
        "a/above": tmp_path,
        "b": root / "a",
    }
    for name, target in links.items():
        (root / name).symlink_to(target)
    assert found(root) == [
        (".hidden", 0, "hidden"),
        ("a/1.jpg", 5, None),
        ("a/above", 0, "symlink_loop"),
        ("a/back", 0, "symlink_loop"),
        ("a/copy.jpg", 5, None),
        ("a/gone.jpg", 0, "symlink_broken"),
        ("a/here", 0, "symlink_loop"),
        ("a/loop.jpg", 0, "symlink_loop"),
        ("a/out.jpg", 5, None),
        ("a/out/2.jpg", 5, None),
        ("a/out/again", 0, "symlink_loop"),
        ("a/out/deeper/3.jpg", 5, None),
        ("a/out/deeper/back", 0, "symlink_loop"),
        ("a/out/deeper/home", 0, "symlink_loop"),
        ("b", 0, "symlink_folder"),
    ]


def test_reaches_a_root_that_is_a_link_itself(tmp_path):
    write(tmp_path / "real/a/1.jpg")
    (tmp_path / "root").symlink_to(tmp_path / "real")
    assert found(tmp_path / "root") == [("a/1.jpg", 5, None)]


def test_does_not_open_pipes(tmp_path):
    os.mkfifo(tmp_path / "pipe.jpg")
    assert found(tmp_path) == [("pipe.jpg", 0, "special_file")]


def test_writes_names_that_are_not_utf_8_as_escapes(tmp_path):
    pathlib.Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff.jpg")).write_bytes(b"12345")
    assert found(tmp_path) == [("\\xff.jpg", 5, "name_not_utf8")]


@contextlib.contextmanager
def ordinary_user():
    """Makes permissions count: root may read everything."""
    is_root = os.geteuid() == 0
    if is_root:
        os.seteuid(65534)
    try:
        yield
    finally:
        if is_root:
            os.seteuid(0)


@pytest.fixture
def open_folder():
    """A folder that other users can reach, which pytest's own is not."""
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        folder.chmod(0o755)
        yield folder


def test_counts_a_folder_that_may_not_be_listed(open_folder):
    write(open_folder / "a/1.jpg")
    write(open_folder / "b/2.jpg")
    (open_folder / "b").chmod(0)
    with ordinary_user():
        listed = found(open_folder)
    (open_folder / "b").chmod(0o755)
    assert listed == [("a/1.jpg", 5, None), ("b", 0, "unreadable_folder")]
