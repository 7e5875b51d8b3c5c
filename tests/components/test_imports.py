import pytest

from emotion_pipeline.components.imports import needed_files


@pytest.fixture
def project(tmp_path):
    files = {
        "__init__.py": "",
        "schema.txt": "",
        "a/__init__.py": "",
        "a/one.py": "from emotion_pipeline.b import two\nimport emotion_faces.upright\n",
        "a/other.py": "",
        "b/__init__.py": "",
        "b/two.py": "def f():\n    from emotion_pipeline.c.three import g\n",
        "b/page/t.html": "<p>",
        "b/inner/__init__.py": "",
        "b/inner/data.bin": "",
        "c/__init__.py": "from .four import x\n",
        "c/three.py": "import json\nNAME = 'emotion_pipeline.d.run_fn'\nOF = 'emotion_pipeline.x'\n",
        "c/four.py": "raise RuntimeError('imported')\n",
        "d.py": "'''Speaks of emotion_pipeline.a.other in words.'''\n",
        "../emotion_faces/__init__.py": "",
        "../emotion_faces/upright.py": "",
        "../emotion_faces/client.py": "",
    }
    for name, text in files.items():
        path = tmp_path / "emotion_pipeline" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path


def test_follows_imports_wherever_they_stand_and_names_in_texts(project):
    assert list(needed_files(("emotion_pipeline.a.one",), project)) == [
        "emotion_faces/__init__.py",
        "emotion_faces/upright.py",
        "emotion_pipeline/__init__.py",
        "emotion_pipeline/a/__init__.py",
        "emotion_pipeline/a/one.py",
        "emotion_pipeline/b/__init__.py",
        "emotion_pipeline/b/page/t.html",
        "emotion_pipeline/b/two.py",
        "emotion_pipeline/c/__init__.py",
        "emotion_pipeline/c/four.py",
        "emotion_pipeline/c/three.py",
        "emotion_pipeline/d.py",
    ]


def test_a_package_is_all_below_it(project):
    found = set(needed_files(("emotion_pipeline.b",), project))
    below = ("b/two.py", "b/inner/__init__.py", "b/inner/data.bin", "b/page/t.html")
    assert {f"emotion_pipeline/{name}" for name in below} <= found
    assert "emotion_pipeline/a/one.py" not in found


def test_names_a_module_that_is_not_there(project):
    with pytest.raises(ModuleNotFoundError, match=r"emotion_pipeline\.none"):
        needed_files(("emotion_pipeline.none",), project)
