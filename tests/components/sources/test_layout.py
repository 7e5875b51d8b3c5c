import pytest

from emotion_pipeline.components.errors import UserError
from emotion_pipeline.components.sources.layout import Layout, find_layout
from tests.components.pictures import write_tree

TWO_SPLITS = {"train": "train", "validation": "eval"}


@pytest.mark.parametrize(
    ("paths", "expected"),
    [
        (["images/train/a/1.jpg", "images/validation/a/2.jpg"], Layout("images", TWO_SPLITS)),
        (["train/a/1.jpg", "validation/a/2.jpg"], Layout("", TWO_SPLITS)),
        (["train/a/1.jpg", "test/a/2.jpg"], Layout("", {"train": "train", "test": "eval"})),
        (["train/a/1.jpg", "eval/a/2.jpg"], Layout("", {"train": "train", "eval": "eval"})),
        (["Train/a/1.jpg", "Val/a/2.jpg"], Layout("", {"Train": "train", "Val": "eval"})),
        (
            ["train/a/1.jpg", "val/a/2.jpg", "test/a/3.jpg"],
            Layout("", {"train": "train", "val": "eval", "test": "test"}),
        ),
        (
            ["fer/images/train/a/1.jpg", "fer/images/val/a/2.jpg"],
            Layout("fer/images", {"train": "train", "val": "eval"}),
        ),
        (
            ["images/images/train/a/1.jpg", "images/images/test/a/2.jpg"],
            Layout("images/images", {"train": "train", "test": "eval"}),
        ),
        (["a/1.jpg", "b/2.jpg"], Layout("", {})),
        (["images/a/1.jpg", "images/b/2.jpg"], Layout("images", {})),
        (["train/a/1.jpg", "validation/a/2.jpg", "images/train/a/1.jpg"], Layout("", TWO_SPLITS)),
    ],
)
def test_finds_the_splits(tmp_path, paths, expected):
    write_tree(tmp_path, *paths)
    assert find_layout(tmp_path) == expected


@pytest.mark.parametrize(
    ("paths", "message"),
    [
        ([], "empty, no folder and no file in it"),
        (["1.jpg", "2.jpg"], "no class folders found; it holds no folders and 2 loose files"),
        (["train/a/1.jpg"], r"found train/, but no second split beside it"),
        (["validation/a/1.jpg"], r"found validation/, but no train/ beside it"),
        (["train/1.jpg", "validation/2.jpg"], r"train: no class folders in it"),
    ],
)
def test_says_what_is_missing_and_what_was_found(tmp_path, paths, message):
    write_tree(tmp_path, *paths)
    with pytest.raises(UserError, match=message) as caught:
        find_layout(tmp_path)
    assert str(caught.value).startswith(str(tmp_path))
    assert "Expected images/train/<class>/" in str(caught.value) or "give" in str(caught.value)


def test_names_a_missing_folder_as_the_user_gave_it(tmp_path):
    with pytest.raises(UserError, match=r"^my faces: no such folder"):
        find_layout(tmp_path / "none", "my faces")


@pytest.mark.parametrize(
    ("path", "place"),
    [
        ("images/train/happy/1.jpg", ("train", "happy")),
        ("images/validation/sad/deeper/1.jpg", ("eval", "sad")),
        ("images/train/1.jpg", None),
        ("images/other/happy/1.jpg", None),
        ("train/happy/1.jpg", None),
        ("README.txt", None),
    ],
)
def test_locates_files(path, place):
    assert Layout("images", TWO_SPLITS).locate(path) == place


def test_locates_files_of_one_folder_of_classes():
    layout = Layout("", {})
    assert layout.locate("happy/1.jpg") == ("", "happy")
    assert layout.locate("1.jpg") is None
    assert layout.locate("images/happy/1.jpg") is None


@pytest.mark.parametrize(
    ("base", "path", "twin"),
    [
        ("images", "images/images/train/a/1.jpg", "images/train/a/1.jpg"),
        ("", "images/train/a/1.jpg", "train/a/1.jpg"),
        ("images", "images/train/a/1.jpg", None),
        ("images", "other/images/train/a/1.jpg", None),
    ],
)
def test_knows_the_outer_twin_of_a_nested_file(base, path, twin):
    assert Layout(base, TWO_SPLITS).outer_twin(path) == twin
