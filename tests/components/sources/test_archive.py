import gzip
import io
import pathlib
import stat
import tarfile
import zipfile

import numpy as np
import pytest

from emotion_pipeline.components.errors import UserError
from emotion_pipeline.components.sources import archive


def make_zip(file: pathlib.Path, members: dict[str, bytes]) -> pathlib.Path:
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as opened:
        for name, data in members.items():
            opened.writestr(name, data)
    return file


@pytest.fixture
def folder(tmp_path):
    target = tmp_path / "unpacked"
    target.mkdir()
    return target


def assert_refused(zip_file, folder, message):
    with pytest.raises(UserError, match=message) as caught:
        archive.unpack(zip_file, folder)
    assert str(caught.value).startswith(str(zip_file))
    assert list(folder.iterdir()) == []
    assert {path.name for path in folder.parent.iterdir()} == {folder.name, zip_file.name}


def test_unpacks_files_and_reports_progress(tmp_path, folder):
    members = {"train/happy/a b.jpg": b"one", "train/счастье/ñ.jpg": b"two"}
    told = []
    archive.unpack(
        make_zip(tmp_path / "a.zip", members),
        folder,
        lambda done, total: told.append((done, total)),
    )
    found = {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }
    assert found == members
    assert told == [(1, 2), (2, 2)]


def test_takes_backslashes_for_folders(tmp_path, folder):
    zip_file = tmp_path / "a.zip"
    info = zipfile.ZipInfo("x")
    info.filename = "train\\happy\\1.jpg"
    with zipfile.ZipFile(zip_file, "w") as opened:
        opened.writestr(info, b"one")
    archive.unpack(zip_file, folder)
    assert (folder / "train/happy/1.jpg").read_bytes() == b"one"


@pytest.mark.parametrize(
    "name", ["../evil.jpg", "train/../../evil.jpg", "/etc/evil.jpg", "C:/evil.jpg", "..\\evil.jpg"]
)
def test_refuses_members_that_point_outside(tmp_path, folder, name):
    zip_file = make_zip(tmp_path / "a.zip", {"train/happy/1.jpg": b"one", name: b"evil"})
    assert_refused(zip_file, folder, "points outside the archive")


def test_refuses_a_name_that_no_file_system_takes(tmp_path, folder):
    zip_file = make_zip(tmp_path / "a.zip", {f"train/{'x' * 252}.jpg": b"one"})
    assert_refused(zip_file, folder, "has a name of 256 bytes, and a file system takes 255")


def test_refuses_a_path_that_the_system_does_not_take(tmp_path, folder):
    zip_file = make_zip(tmp_path / "a.zip", {f"train/{'d/' * 2100}1.jpg": b"one"})
    assert_refused(zip_file, folder, "bytes where it goes, and the system takes 4095")


def test_refuses_links(tmp_path, folder):
    link = zipfile.ZipInfo("train/happy/link.jpg")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    zip_file = tmp_path / "a.zip"
    with zipfile.ZipFile(zip_file, "w") as opened:
        opened.writestr("train/happy/1.jpg", b"one")
        opened.writestr(link, "/etc/passwd")
    assert_refused(zip_file, folder, "is a link or a special file")


def test_refuses_a_name_that_comes_twice(tmp_path, folder):
    zip_file = tmp_path / "a.zip"
    with zipfile.ZipFile(zip_file, "w") as opened:
        opened.writestr("train/1.jpg", b"one")
        with pytest.warns(UserWarning, match="Duplicate name"):
            opened.writestr("train/1.jpg", b"two")
    assert_refused(zip_file, folder, "several members of the same name")


def test_refuses_a_file_that_is_also_a_folder(tmp_path, folder):
    zip_file = make_zip(tmp_path / "a.zip", {"train": b"one", "train/1.jpg": b"two"})
    with pytest.raises(
        UserError, match=r"a member is both a file and a folder: train/1\.jpg\. Make"
    ):
        archive.unpack(zip_file, folder)


def test_refuses_a_bomb_by_its_ratio(tmp_path, folder):
    zip_file = make_zip(tmp_path / "a.zip", {"train/bomb.jpg": bytes(80 * 2**20)})
    assert zip_file.stat().st_size < 2**20
    assert_refused(zip_file, folder, "more than 100 for each byte")


@pytest.mark.parametrize(
    ("limit", "value", "message"),
    [
        ("MAX_MEMBERS", 2, "more members than the limit of 2"),
        ("MAX_INFLATED_BYTES", 5, "would inflate to 6 bytes or more, above the limit of 5"),
    ],
)
def test_refuses_more_than_the_limits(tmp_path, folder, monkeypatch, limit, value, message):
    monkeypatch.setattr(archive, limit, value)
    members = {f"train/{number}.jpg": b"one" for number in range(3)}
    assert_refused(make_zip(tmp_path / "a.zip", members), folder, message)


def test_refuses_an_encrypted_member(tmp_path, folder):
    zip_file = make_zip(tmp_path / "a.zip", {"train/1.jpg": b"one"})
    data = bytearray(zip_file.read_bytes())
    for header, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(header) + flags] |= 1
    zip_file.write_bytes(data)
    assert_refused(zip_file, folder, "is encrypted")


def test_refuses_what_is_no_zip(tmp_path, folder):
    zip_file = tmp_path / "a.zip"
    zip_file.write_bytes(b"this is no zip")
    assert_refused(zip_file, folder, "cannot be unpacked")


def test_refuses_a_zip_that_was_cut_off(tmp_path, folder):
    zip_file = make_zip(tmp_path / "a.zip", {"train/1.jpg": bytes(range(256)) * 10})
    zip_file.write_bytes(zip_file.read_bytes()[:-30])
    assert_refused(zip_file, folder, "cannot be unpacked")


def test_refuses_a_member_whose_bytes_changed(tmp_path, folder):
    zip_file = tmp_path / "a.zip"
    with zipfile.ZipFile(zip_file, "w", zipfile.ZIP_STORED) as opened:
        opened.writestr("train/1.jpg", b"picture" * 100)
    zip_file.write_bytes(zip_file.read_bytes().replace(b"picturepicture", b"PICTUREpicture", 1))
    with pytest.raises(UserError, match="Bad CRC-32"):
        archive.unpack(zip_file, folder)


def make_tar(file: pathlib.Path, members, mode: str = "w:gz") -> pathlib.Path:
    """Members are names and bytes, or whole TarInfos."""
    with tarfile.open(file, mode) as opened:
        for name, data in members:
            info = name if isinstance(name, tarfile.TarInfo) else tarfile.TarInfo(name)
            info.size = len(data)
            opened.addfile(info, io.BytesIO(data))
    return file


def tar_info(name: str, kind: bytes, linkname: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, linkname
    return info


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2", "w:xz"])
def test_unpacks_a_tar_however_it_is_compressed(tmp_path, folder, mode):
    tar = make_tar(
        tmp_path / "faces",
        [
            (tar_info("./train", tarfile.DIRTYPE), b""),
            ("./train/happy/a b.jpg", b"one"),
            ("train/счастье/ñ.jpg", b"two" * 100_000),
        ],
        mode,
    )
    assert archive.is_archive(tar)
    archive.unpack(tar, folder)
    assert (folder / "train/happy/a b.jpg").read_bytes() == b"one"
    assert (folder / "train/счастье/ñ.jpg").read_bytes() == b"two" * 100_000
    assert len([path for path in folder.rglob("*") if path.is_file()]) == 2


@pytest.mark.parametrize("name", ["../evil.jpg", "a/../../evil.jpg", "/etc/evil.jpg", "C:/evil"])
def test_refuses_members_of_a_tar_that_point_outside(tmp_path, folder, name):
    tar = make_tar(tmp_path / "a.tar.gz", [("train/1.jpg", b"one"), (name, b"evil")])
    assert_refused(tar, folder, "points outside the archive")


@pytest.mark.parametrize(
    "kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE]
)
def test_refuses_links_and_devices_in_a_tar(tmp_path, folder, kind):
    bad = tar_info("train/link", kind, "/etc/passwd")
    tar = make_tar(tmp_path / "a.tar.gz", [("train/1.jpg", b"one"), (bad, b"")])
    assert_refused(tar, folder, "is a link or a special file")


def test_refuses_a_name_that_comes_twice_in_a_tar(tmp_path, folder):
    tar = make_tar(tmp_path / "a.tar.gz", [("a/1.jpg", b"one"), ("./a/1.jpg", b"two")])
    assert_refused(tar, folder, "several members of the same name")


def test_refuses_a_tar_that_inflates(tmp_path, folder, monkeypatch):
    tar = make_tar(tmp_path / "a.tar.gz", [("a/bomb.jpg", bytes(80 * 2**20))])
    assert_refused(tar, folder, "more than 100 for each byte")
    monkeypatch.setattr(archive, "MAX_MEMBERS", 2)
    tar.unlink()
    tar = make_tar(tmp_path / "b.tar.xz", [(f"a/{n}", b"1") for n in range(3)], "w:xz")
    assert_refused(tar, folder, "more members than the limit of 2")


def test_refuses_a_tar_that_states_more_than_it_holds(tmp_path, folder):
    info = tarfile.TarInfo("a/1.jpg")
    info.size = 10**15
    tar = tmp_path / "a.tar.gz"
    tar.write_bytes(gzip.compress(info.tobuf() + bytes(10240)))
    assert_refused(tar, folder, "would inflate to 1000000000000000 bytes or more")


def test_reads_no_header_of_a_tar_that_is_as_large_as_it_says(tmp_path, folder):
    header = tarfile.TarInfo("pax")
    header.type, header.size = tarfile.XHDTYPE, 8 * 2**20
    tar = tmp_path / "a.tar.gz"
    tar.write_bytes(gzip.compress(header.tobuf() + bytes(8 * 2**20)))
    assert_refused(tar, folder, "a header of 8388608 bytes")


def test_refuses_a_tar_with_a_damaged_header_in_its_middle(tmp_path, folder):
    tar = make_tar(tmp_path / "a.tar", [(f"a/{n}", b"1") for n in range(4)], "w")
    data = bytearray(tar.read_bytes())
    data[2 * 1024 + 124 : 2 * 1024 + 135] = b"77777777777"  # the third one's size
    tar.write_bytes(data)
    assert_refused(tar, folder, r"cannot be unpacked \(damaged after 2 members\)")


def test_takes_a_tar_without_the_blocks_that_mark_its_end(tmp_path, folder):
    tar = make_tar(tmp_path / "a.tar", [(f"a/{n}", b"1") for n in range(4)], "w")
    tar.write_bytes(tar.read_bytes()[: 4 * 1024])
    archive.unpack(tar, folder)
    assert len(list((folder / "a").iterdir())) == 4


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2", "w:xz"])
@pytest.mark.parametrize("keep", [0.2, 0.6, 0.9])
def test_refuses_a_tar_that_was_cut_off(tmp_path, folder, mode, keep):
    noise = np.random.default_rng(0).integers(0, 256, (8, 3000), np.uint8)
    tar = make_tar(
        tmp_path / "a.tar", [(f"a/{n}", row.tobytes()) for n, row in enumerate(noise)], mode
    )
    tar.write_bytes(tar.read_bytes()[: int(tar.stat().st_size * keep)])
    with pytest.raises(UserError, match="cannot be unpacked"):
        archive.unpack(tar, folder)


def test_knows_archives_by_what_is_in_them(tmp_path):
    (tmp_path / "a.tar").write_bytes(b"no tar" * 1000)
    (tmp_path / "b").write_bytes(gzip.compress(b"no tar" * 1000))
    (tmp_path / "c").write_bytes(b"")
    assert not any(archive.is_archive(tmp_path / name) for name in "bc")
    assert not archive.is_archive(tmp_path / "a.tar")
