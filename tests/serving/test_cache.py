import os
import pathlib
import stat

import pytest

from emotion_faces import cache


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    """Temporary files of this test alone."""
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr(cache.tempfile, "tempdir", str(tmp_path / "tmp"))
    cache._temporary.cache_clear()
    yield
    cache._temporary.cache_clear()


def test_is_in_the_users_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache.cache_dir() == tmp_path / "xdg/emotion-pipeline"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache.cache_dir() == tmp_path / ".cache/emotion-pipeline"


def test_falls_back_to_a_private_folder(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    folder = cache.cache_dir()
    assert folder == tmp_path / f"tmp/emotion-pipeline-{os.getuid()}"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert cache.cache_dir() == folder


def test_a_user_without_a_home_has_a_cache(tmp_path, monkeypatch):
    def no_home():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(pathlib.Path, "home", no_home)
    assert cache.cache_dir().parent == tmp_path / "tmp"


@pytest.mark.parametrize("kind", ["link", "open to all", "file"])
def test_does_not_trust_a_folder_that_somebody_laid_out(tmp_path, monkeypatch, kind):
    monkeypatch.setenv("XDG_CACHE_HOME", "/dev/null/x")
    laid = tmp_path / f"tmp/emotion-pipeline-{os.getuid()}"
    if kind == "link":
        (tmp_path / "theirs").mkdir()
        laid.symlink_to(tmp_path / "theirs")
    elif kind == "file":
        laid.write_text("")
    else:
        laid.mkdir()
        laid.chmod(0o777)
    folder = cache.cache_dir()
    assert folder != laid
    assert folder.parent == tmp_path / "tmp"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
