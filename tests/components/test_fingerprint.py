import pytest

from emotion_pipeline.components.fingerprint import code_fingerprint


@pytest.fixture
def package(tmp_path, monkeypatch):
    folder = tmp_path / "fingerprinted"
    (folder / "inner").mkdir(parents=True)
    (folder / "__init__.py").write_text("")
    (folder / "one.py").write_text("raise RuntimeError('imported')\n")
    (folder / "inner" / "two.py").write_text("x = 1\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    return folder


def test_changes_with_any_source_of_a_package(package):
    before = code_fingerprint("fingerprinted")
    assert len(before) == 16
    assert code_fingerprint("fingerprinted") == before
    (package / "notes.txt").write_text("no code")
    assert code_fingerprint("fingerprinted") == before
    (package / "inner" / "two.py").write_text("x = 2\n")
    assert code_fingerprint("fingerprinted") != before


def test_a_module_is_its_own_file_alone(package):
    before = code_fingerprint("emotion_pipeline.components.features")
    assert before == code_fingerprint("emotion_pipeline.components.features")
    assert before != code_fingerprint("emotion_pipeline.components.constants")


def test_names_a_module_that_is_not_there():
    with pytest.raises(ModuleNotFoundError, match=r"components\.no_such_module"):
        code_fingerprint("components.no_such_module")


def test_a_package_that_is_a_link_counts_as_one_that_is_not(tmp_path, monkeypatch):
    for name in ("tree", "wheel"):
        (tmp_path / name / "linked").mkdir(parents=True)
        (tmp_path / name / "linked" / "__init__.py").write_text("")
    (tmp_path / "apart").mkdir()
    (tmp_path / "tree" / "linked" / "inner").symlink_to(tmp_path / "apart")
    (tmp_path / "wheel" / "linked" / "inner").mkdir()
    for folder in (tmp_path / "apart", tmp_path / "wheel" / "linked" / "inner"):
        (folder / "one.py").write_text("x = 1\n")
    found = []
    for name in ("tree", "wheel"):
        with monkeypatch.context() as patch:
            patch.syspath_prepend(str(tmp_path / name))
            found.append(code_fingerprint("linked"))
    assert found[0] == found[1]
    (tmp_path / "apart" / "one.py").write_text("x = 2\n")
    monkeypatch.syspath_prepend(str(tmp_path / "tree"))
    assert code_fingerprint("linked") != found[0]
