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
        (["train/a/1.jpg", "valid/a/2.jpg"], Layout("", {"train": "train", "valid": "eval"})),
        (
            ["train/a/1.jpg", "valid/a/2.jpg", "test/a/3.jpg"],
            Layout("", {"train": "train", "valid": "eval", "test": "test"}),
        ),
        (["Training/a/1.jpg", "Test/a/2.jpg"], Layout("", {"Training": "train", "Test": "eval"})),
        (
            ["Training/a/1.jpg", "PublicTest/a/2.jpg", "PrivateTest/a/3.jpg"],
            Layout("", {"Training": "train", "PublicTest": "eval", "PrivateTest": "test"}),
        ),
        (
            ["train/a/1.jpg", "PrivateTest/a/3.jpg"],
            Layout("", {"train": "train", "PrivateTest": "eval"}),
        ),
        (
            ["train/a/1.jpg", "val/1.jpg", "test/a/3.jpg"],
            Layout("", {"train": "train", "test": "eval"}, unused=("val",)),
        ),
        (
            ["Train_Set/a/1.jpg", "val-images/a/2.jpg"],
            Layout("", {"Train_Set": "train", "val-images": "eval"}),
        ),
        (
            ["train/a/1.jpg", "train_set/a/1.jpg", "dev/a/2.jpg"],
            Layout("", {"train": "train", "dev": "eval"}, unused=("train_set",)),
        ),
        (
            ["docs/x/1.jpg", "faces/v2/train/a/1.jpg", "faces/v2/valid/a/2.jpg", "faces/v2.txt"],
            Layout("faces/v2", {"train": "train", "valid": "eval"}),
        ),
        (["a/S1/1.jpg", "a/S2/2.jpg", "b/S1/3.jpg"], Layout("", {})),
        (["faces/a/S1/1.jpg", "faces/b/S1/3.jpg"], Layout("faces", {})),
        (["a/1.jpg", "b/2.jpg"], Layout("", {})),
        (["images/a/1.jpg", "images/b/2.jpg"], Layout("images", {})),
        (["train/a/1.jpg", "validation/a/2.jpg", "images/train/a/1.jpg"], Layout("", TWO_SPLITS)),
    ],
)
def test_finds_the_splits(tmp_path, paths, expected):
    write_tree(tmp_path, *paths)
    assert find_layout(tmp_path) == expected


def test_an_empty_folder_is_no_split(tmp_path):
    write_tree(tmp_path, "Training/a/1.jpg", "test/a/2.jpg")
    for name in ("train", "val", "dev"):
        (tmp_path / name).mkdir()
    assert find_layout(tmp_path) == Layout("", {"Training": "train", "test": "eval"})


def test_says_what_lies_beside_train_where_no_second_split_is_known(tmp_path):
    write_tree(tmp_path, "train/a/1.jpg", "holdout/a/2.jpg")
    with pytest.raises(
        UserError, match="no second split beside it; holdout/ beside it is not known"
    ):
        find_layout(tmp_path)


@pytest.mark.parametrize(
    ("paths", "message"),
    [
        ([], "empty, no folder and no file in it"),
        (["1.jpg", "2.jpg"], "no class folders found; it holds no folders and 2 loose files"),
        (["train/a/1.jpg"], r"found train/, but no second split beside it"),
        (["validation/a/1.jpg"], r"found validation/, but no train/ beside it"),
        (["train/1.jpg", "validation/2.jpg"], r"train: no class folders in it"),
        (
            ["faces/1.jpg", "faces/2.jpg", "labels.csv"],
            "in one folder, faces/, with labels.csv bes",
        ),
        (["1.jpg", "labels.csv"], "no class folders found; .* A list that says which"),
        (["train/1.jpg", "train/_classes.csv", "valid/2.jpg"], "Found _classes.csv. A list that"),
        (["faces.zip"], "no class folders found; .* Give .*/faces.zip itself"),
        (
            ["train/images/1.jpg", "train/labels/1.txt", "val/images/2.jpg", "val/labels/2.txt"],
            "train: holds images/ and labels/, as data sets for finding objects",
        ),
        (
            ["a/train/1.jpg", "a/test/2.jpg", "b/train/1.jpg", "b/test/2.jpg"],
            "2 folders hold splits of their own: a/, b/. Give one of them .* train/<class>/",
        ),
        (
            ["S1/happy/1.jpg", "S1/sad/2.jpg", "S2/happy/1.jpg"],
            r"\(happy, sad\) lie inside S1/ and the like.* Turn it round: happy/S1/",
        ),
    ],
)
def test_says_what_is_missing_and_what_was_found(tmp_path, paths, message):
    write_tree(tmp_path, *paths)
    with pytest.raises(UserError, match=message) as caught:
        find_layout(tmp_path)
    assert str(caught.value).startswith(str(tmp_path))
    told = str(caught.value)
    remedies = ("Expected images/train/<class>/", "give", "Give", "put each picture", "Turn it")
    assert any(remedy in told for remedy in remedies)


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


def test_folders_that_are_links_are_folders(tmp_path):
    write_tree(tmp_path / "elsewhere", "train/a/1.jpg", "val/a/2.jpg")
    root = tmp_path / "root"
    root.mkdir()
    for name in ("train", "val"):
        (root / name).symlink_to(tmp_path / "elsewhere" / name)
    assert find_layout(root).splits == {"train": "train", "val": "eval"}
    (root / "val").unlink()
    (root / "val").symlink_to(tmp_path / "elsewhere" / "train")
    assert find_layout(root).splits == {"train": "train", "val": "eval"}
    (root / "val").unlink()
    (root / "val").symlink_to(root)
    with pytest.raises(UserError, match="val is a link back to itself or to a folder above it, so"):
        find_layout(root)


@pytest.mark.parametrize("place", ["again", "train/again", "train/a/again", "loop.csv"])
def test_a_link_to_itself_is_no_folder_and_no_file(tmp_path, place):
    write_tree(tmp_path, "train/a/1.jpg", "val/a/2.jpg")
    (tmp_path / place).symlink_to(tmp_path / place)
    assert find_layout(tmp_path).splits == {"train": "train", "val": "eval"}
    assert find_layout(tmp_path).locate("train/a/1.jpg") == ("train", "a")


def test_one_class_has_one_name(tmp_path):
    write_tree(tmp_path, "train/u\u0308ber/1.jpg", "val/\u00fcber/2.jpg", "train/joy/3.jpg")
    layout = find_layout(tmp_path, class_names={"joy": "happy", "u\u0308ber": "sad"})
    assert layout.locate("train/u\u0308ber/1.jpg") == ("train", "sad")
    assert layout.locate("val/\u00fcber/2.jpg") == ("eval", "sad")
    assert layout.locate("train/joy/3.jpg") == ("train", "happy")
    assert find_layout(tmp_path).locate("train/u\u0308ber/1.jpg") == ("train", "\u00fcber")


def test_a_name_that_is_no_class_folder_is_refused(tmp_path):
    write_tree(tmp_path, "train/joy/1.jpg", "val/joy/2.jpg", "val/fear/2.jpg")
    with pytest.raises(UserError, match=r"no class folder 'jo' in .*; found are fear, joy"):
        find_layout(tmp_path, class_names={"jo": "happy"})
