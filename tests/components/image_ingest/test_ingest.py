import hashlib
import io
import os
import shutil

import pandas as pd
import pytest
from PIL import Image

from emotion_pipeline.components.errors import UserError
from emotion_pipeline.components.image_ingest import find_files, measure
from emotion_pipeline.components.image_ingest.ingest import check_pruned_fraction, ingest
from emotion_pipeline.components.image_ingest.manifest import (
    counts_by_split,
    kept_rows,
    paths_by_reason,
)
from emotion_pipeline.components.sources.redundant import RemovedFile
from emotion_pipeline.validation.lines import pruned_lines
from tests.components.image_ingest.test_find_files import open_folder, ordinary_user  # noqa: F401
from tests.components.pictures import (
    encode,
    noise,
    snapshot,
    write_data_set,
    write_picture,
    write_tree,
)


def rows(table: pd.DataFrame) -> list[tuple]:
    return list(
        table[["path", "split", "label", "status", "reason"]].itertuples(index=False, name=None)
    )


def gif() -> bytes:
    buffer = io.BytesIO()
    Image.new("L", (48, 48)).save(buffer, "GIF")
    return buffer.getvalue()


@pytest.fixture
def faces(tmp_path):
    root = tmp_path / "faces"
    write_data_set(root)
    return root


def test_gives_each_file_its_row(faces):
    table = ingest(faces)
    assert rows(table) == [
        ("images/train/happy/1.jpg", "train", "happy", "kept", ""),
        ("images/train/happy/2.jpg", "train", "happy", "kept", ""),
        ("images/train/sad/3.jpg", "train", "sad", "kept", ""),
        ("images/train/sad/4.jpg", "train", "sad", "kept", ""),
        ("images/validation/happy/5.jpg", "eval", "happy", "kept", ""),
        ("images/validation/sad/6.jpg", "eval", "sad", "kept", ""),
    ]
    data = (faces / "images/train/happy/1.jpg").read_bytes()
    measured = measure.measure_image(data)
    first = table.iloc[0]
    assert first["bytes"] == len(data)
    assert first["content_hash"] == hashlib.sha256(data).hexdigest()
    for name, value in measured._asdict().items():
        assert first[name] == (pytest.approx(value) if isinstance(value, float) else value)


def test_prunes_every_kind_of_bad_file_with_its_reason(faces, monkeypatch):
    happy = faces / "images/train/happy"
    whole = encode(noise(50))
    monkeypatch.setattr(measure, "MAX_IMAGE_BYTES", 100_000)
    bad = {
        "empty.jpg": b"",
        "cut.jpg": whole[: len(whole) // 2],
        "text.jpg": b"no picture at all",
        "notes.txt": b"no picture at all",
        "picture.gif": gif(),
        "huge.jpg": whole + bytes(200_000),
        ".hidden.jpg": whole,
    }
    for name, data in bad.items():
        (happy / name).write_bytes(data)
    (happy / "png named.jpg").write_bytes(encode(noise(51), ".png"))
    (happy / "улыбка 笑顔 ñ.jpg").write_bytes(encode(noise(52)))
    (happy / "loop.jpg").symlink_to(happy / "loop.jpg")
    (happy / "up").symlink_to(faces)
    (faces / "README.txt").write_text("about")
    (faces / "images/train/loose.jpg").write_bytes(whole)
    before = snapshot(faces)

    table = ingest(faces)

    found = {path: (status, reason) for path, _, _, status, reason in rows(table)}
    prefix = "images/train/happy/"
    assert {path: found[path] for path in found if not path[-5].isdigit()} == {
        "README.txt": ("pruned", "outside_class_folder"),
        "images/train/loose.jpg": ("pruned", "outside_class_folder"),
        prefix + ".hidden.jpg": ("pruned", "hidden"),
        prefix + "cut.jpg": ("pruned", "truncated"),
        prefix + "empty.jpg": ("pruned", "empty_file"),
        prefix + "huge.jpg": ("pruned", "too_large"),
        prefix + "loop.jpg": ("pruned", "symlink_loop"),
        prefix + "notes.txt": ("pruned", "not_an_image"),
        prefix + "picture.gif": ("pruned", "unsupported_format"),
        prefix + "png named.jpg": ("kept", ""),
        prefix + "text.jpg": ("pruned", "not_an_image"),
        prefix + "up": ("pruned", "symlink_loop"),
        prefix + "улыбка 笑顔 ñ.jpg": ("kept", ""),
    }
    named = table.set_index("path")
    assert named.loc[prefix + "png named.jpg", "format"] == "png"
    assert named.loc[prefix + "cut.jpg", ["width", "height", "channels"]].tolist() == [0, 0, 0]
    assert named.loc[prefix + "cut.jpg", ["brightness", "sharpness"]].isna().all()
    counts = counts_by_split(table)
    assert sum(split["kept"] + split["pruned"] for split in counts.values()) == len(table) == 19
    assert counts["train"]["kept"] == 6
    assert snapshot(faces) == before


def test_counts_a_file_that_may_not_be_read(open_folder):  # noqa: F811
    write_data_set(open_folder)
    locked = open_folder / "images/train/happy/1.jpg"
    locked.chmod(0)
    with ordinary_user():
        table = ingest(open_folder)
    assert rows(table)[0] == ("images/train/happy/1.jpg", "train", "happy", "pruned", "unreadable")
    assert table.loc[0, "content_hash"] == ""
    assert len(kept_rows(table)) == 5


def test_a_folder_that_may_not_be_listed_is_named_with_its_class(open_folder):  # noqa: F811
    write_data_set(open_folder)
    write_picture(open_folder / "images/train/sad/ann/7.jpg", seed=7)
    locked = [open_folder / "images/train/sad/ann", open_folder / "images/validation/happy"]
    for folder in locked:
        folder.chmod(0)
    with ordinary_user():
        table = ingest(open_folder)
    for folder in locked:
        folder.chmod(0o755)
    assert rows(table[table["reason"] != ""]) == [
        ("images/train/sad/ann", "train", "sad", "pruned", "unreadable_folder"),
        ("images/validation/happy", "eval", "happy", "pruned", "unreadable_folder"),
    ]
    assert pruned_lines(paths_by_reason(table)) == [
        "unreadable_folder: images/train/sad/ann, images/validation/happy"
    ]


def test_prunes_the_redundant_tree_of_a_users_folder_and_leaves_it_there(faces):
    shutil.copytree(faces / "images", faces / "images/images")
    write_picture(faces / "images/images/train/happy/1.jpg", seed=60)
    write_picture(faces / "images/images/train/happy/other.jpg", seed=61)
    before = snapshot(faces)
    table = ingest(faces)
    nested = [row for row in rows(table) if row[0].startswith("images/images/")]
    assert nested == [
        ("images/images/train/happy/1.jpg", "train", "happy", "pruned", "outside_class_folder"),
        ("images/images/train/happy/2.jpg", "train", "happy", "pruned", "redundant_tree"),
        ("images/images/train/happy/other.jpg", "train", "happy", "pruned", "outside_class_folder"),
        ("images/images/train/sad/3.jpg", "train", "sad", "pruned", "redundant_tree"),
        ("images/images/train/sad/4.jpg", "train", "sad", "pruned", "redundant_tree"),
        ("images/images/validation/happy/5.jpg", "eval", "happy", "pruned", "redundant_tree"),
        ("images/images/validation/sad/6.jpg", "eval", "sad", "pruned", "redundant_tree"),
    ]
    assert snapshot(faces) == before


def test_counts_files_that_were_deleted_from_its_own_copy(faces):
    gone = RemovedFile("images/images/validation/sad/6.jpg", 123, "ab" * 32)
    table = ingest(faces, removed=[gone])
    last = table[table["path"] == gone.path].iloc[0]
    assert last[["split", "label", "bytes", "content_hash", "status", "reason"]].tolist() == [
        "eval",
        "sad",
        123,
        "ab" * 32,
        "pruned",
        "redundant_tree",
    ]
    assert len(table) == 7


def test_a_test_split_beside_validation_is_the_third(faces):
    write_picture(faces / "images/test/happy/7.jpg", seed=70)
    table = ingest(faces)
    assert rows(table)[0] == ("images/test/happy/7.jpg", "test", "happy", "kept", "")
    counts = counts_by_split(table)
    assert list(counts) == ["train", "eval", "test", "other"]
    assert (counts["test"]["found"], counts["test"]["kept"]) == (1, 1)
    assert len(kept_rows(table, "test")) == 1


def test_prunes_a_further_split(faces):
    write_picture(faces / "images/val/happy/7.jpg", seed=70)
    table = ingest(faces)
    [row] = [one for one in rows(table) if one[0] == "images/val/happy/7.jpg"]
    assert row == ("images/val/happy/7.jpg", "", "", "pruned", "unused_split")
    assert list(counts_by_split(table)) == ["train", "eval", "other"]


def test_does_not_depend_on_the_order_of_the_listing(faces, monkeypatch):
    table = ingest(faces)
    scandir = os.scandir

    class Reversed:
        def __init__(self, folder):
            with scandir(folder) as entries:
                self._entries = sorted(entries, key=lambda entry: entry.name, reverse=True)

        def __enter__(self):
            return iter(self._entries)

        def __exit__(self, *_):
            pass

    monkeypatch.setattr(find_files.os, "scandir", Reversed)
    pd.testing.assert_frame_equal(ingest(faces), table)


def test_workers_change_nothing(faces):
    (faces / "images/train/happy/empty.jpg").write_bytes(b"")
    pd.testing.assert_frame_equal(ingest(faces, workers=2), ingest(faces, workers=1))


def test_reports_progress(faces):
    told = []
    ingest(faces, progress=lambda done, total: told.append((done, total)))
    assert told == [(6, 6)]


@pytest.fixture
def classes(tmp_path):
    """One folder of two classes, 60 pictures each, three of them copies across the classes."""
    root = tmp_path / "classes"
    for seed in range(57):
        write_picture(root / "happy" / f"{seed}.jpg", seed)
        write_picture(root / "sad" / f"{seed}.jpg", seed + 100)
    for seed in range(3):
        write_picture(root / "happy" / f"copy {seed}.jpg", seed + 100)
        write_picture(root / "sad" / f"copy {seed}.jpg", seed + 100)
    return root


def test_draws_splits_by_the_content(classes):
    table = ingest(classes, eval_fraction=0.25)
    splits = dict(zip(table["path"], table["split"], strict=True))
    for seed in range(3):
        copies = {
            splits[f"{path}.jpg"]
            for path in (f"happy/copy {seed}", f"sad/copy {seed}", f"sad/{seed}")
        }
        assert len(copies) == 1
    in_eval = sum(split == "eval" for split in splits.values())
    assert 20 <= in_eval <= 40
    (classes / "happy/0.jpg").rename(classes / "happy/renamed.jpg")
    again = ingest(classes, eval_fraction=0.25)
    changed = dict(zip(again["path"], again["split"], strict=True))
    assert changed.pop("happy/renamed.jpg") == splits.pop("happy/0.jpg")
    assert changed == splits


def test_larger_fractions_keep_what_smaller_ones_drew(classes):
    drawn = {
        fraction: set(kept_rows(ingest(classes, eval_fraction=fraction), "eval")["path"])
        for fraction in (0.1, 0.3, 0.6)
    }
    assert drawn[0.1] < drawn[0.3] < drawn[0.6]


def test_gives_each_side_a_picture_of_a_small_class(tmp_path):
    for seed in range(2):
        write_picture(tmp_path / "happy" / f"{seed}.jpg", seed)
        write_picture(tmp_path / "sad" / f"{seed}.jpg", seed + 10)
    for fraction in (0.001, 0.999):
        table = ingest(tmp_path, eval_fraction=fraction)
        assert sorted(zip(table["split"], table["label"], strict=True)) == [
            ("eval", "happy"),
            ("eval", "sad"),
            ("train", "happy"),
            ("train", "sad"),
        ]


@pytest.mark.parametrize(
    ("paths", "message"),
    [
        (["happy/1.jpg", "happy/2.jpg"], r"1 class\(es\) with usable pictures in train \(happy;"),
        (["train/happy/1.jpg", "test/sad/2.jpg"], r"in train \(happy; in all splits: happy, sad\)"),
    ],
)
def test_refuses_fewer_than_two_classes(tmp_path, paths, message):
    write_tree(tmp_path, *paths)
    with pytest.raises(UserError, match=message) as caught:
        ingest(tmp_path, source="my faces")
    assert str(caught.value).startswith("my faces: ")


def test_refuses_classes_without_pictures(tmp_path):
    (tmp_path / "happy").mkdir()
    (tmp_path / "happy/notes.txt").write_text("nothing")
    with pytest.raises(UserError, match="1 files, no usable picture of a class"):
        ingest(tmp_path)


def test_stops_above_the_stated_share_of_unusable_pictures(faces):
    (faces / "images/train/happy/empty.jpg").write_bytes(b"")
    (faces / "images/train/happy/text.jpg").write_bytes(b"text")
    (faces / "README.txt").write_text("does not count")
    table = ingest(faces)
    check_pruned_fraction(table, 0.25, "faces")
    with pytest.raises(UserError) as caught:
        check_pruned_fraction(table, 0.24, "faces")
    assert str(caught.value) == (
        "faces: 2 of 8 pictures cannot be used (1 empty_file, 1 not_an_image; first: "
        "images/train/happy/empty.jpg), more than the limit of 24%. Mend or remove them, or raise "
        "max_pruned_fraction."
    )


def test_a_list_of_labels_beside_the_pictures_is_named_where_classes_lack(tmp_path):
    write_picture(tmp_path / "cohn-kanade-images/S005/001/1.png", 1)
    (tmp_path / "Emotion/S005").mkdir(parents=True)
    (tmp_path / "Emotion/S005/S005_001_emotion.txt").write_text("3.0\n")
    with pytest.raises(
        UserError, match=r"1 class.*Found Emotion/S005/S005_001_emotion\.txt\. A list"
    ):
        ingest(tmp_path)
