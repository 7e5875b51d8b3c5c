import collections

import numpy as np
import pytest

from emotion_pipeline.components.constants import LABELS
from emotion_pipeline.components.errors import UserError
from emotion_pipeline.components.image_ingest.ingest import ingest
from emotion_pipeline.components.image_ingest.manifest import kept_rows
from emotion_pipeline.components.sources import sample_data
from tests.components.pictures import snapshot


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sample")
    sample_data.draw_sample(folder)
    return folder


@pytest.fixture(scope="module")
def table(drawn):
    return ingest(drawn)


def test_is_laid_out_like_the_kaggle_archive(drawn, table):
    assert sorted(path.name for path in (drawn / "images").iterdir()) == [
        "images",
        "train",
        "validation",
    ]
    pruned = table[table["status"] == "pruned"]
    assert set(pruned["reason"]) == {"redundant_tree"}
    assert len(pruned) == len(table) / 2 == sample_data.DEFAULT_IMAGES
    kept = kept_rows(table)
    assert set(kept["width"]) == set(kept["height"]) == {48}
    assert set(kept["channels"]) == {1}
    assert set(kept["format"]) == {"jpeg"}


def test_has_the_imbalance_of_the_real_data(table):
    train = collections.Counter(kept_rows(table, "train")["label"])
    assert train == {
        "angry": 125,
        "disgust": 15,
        "fear": 129,
        "happy": 225,
        "neutral": 156,
        "sad": 151,
        "surprise": 99,
    }
    assert sum(train.values()) == 900
    assert len(kept_rows(table, "eval")) == 200


@pytest.mark.parametrize("is_new", [True, False])
def test_nothing_stays_of_a_data_set_that_is_not_finished(is_new, tmp_path, monkeypatch):
    draw, drawn = sample_data.draw_face, []

    def draw_some(label, rng):
        drawn.append(label)
        if len(drawn) == 5:
            raise KeyboardInterrupt
        return draw(label, rng)

    monkeypatch.setattr(sample_data, "draw_face", draw_some)
    folder = tmp_path / "faces"
    if not is_new:
        folder.mkdir()
    with pytest.raises(KeyboardInterrupt):
        sample_data.draw_sample(folder, images=20)
    assert list(tmp_path.rglob("*")) == ([] if is_new else [folder])


def test_what_a_killed_call_left_is_no_data_set_and_is_drawn_anew(tmp_path, monkeypatch):
    folder = tmp_path / "faces"
    with monkeypatch.context() as patch:
        # A killed process removes nothing.
        patch.setattr(sample_data.shutil, "rmtree", lambda path, **_: None)
        patch.setattr(sample_data, "draw_face", raise_killed)
        with pytest.raises(KeyboardInterrupt):
            sample_data.draw_sample(folder, images=20)
    assert [one for one in folder.rglob("*") if one.is_dir()]
    with pytest.raises(UserError, match="empty, no folder"):
        ingest(folder)
    sample_data.draw_sample(folder, images=20)
    sample_data.draw_sample(tmp_path / "other", images=20)
    one, other = (
        {path.relative_to(top): path.read_bytes() for path in top.rglob("*.jpg")}
        for top in (folder, tmp_path / "other")
    )
    assert one == other
    assert {path.name for path in folder.iterdir()} == {"images"}


def raise_killed(*_):
    raise KeyboardInterrupt


def test_holds_no_picture_twice(table):
    kept = kept_rows(table)
    assert kept["pixel_hash"].nunique() == len(kept)


def test_is_the_same_for_the_same_seed(tmp_path):
    def contents(name, seed):
        sample_data.draw_sample(tmp_path / name, images=20, seed=seed)
        return {path: entry[3] for path, entry in snapshot(tmp_path / name).items()}

    first = contents("first", 3)
    assert contents("second", 3) == first
    other = contents("other", 4)
    assert other.keys() == first.keys()
    assert all(other[path] != data for path, data in first.items() if data is not None)


@pytest.mark.parametrize("images", [14, 15, 50, 333])
def test_every_class_is_in_both_splits(tmp_path, images):
    sample_data.draw_sample(tmp_path / "drawn", images=images)
    for split in ("train", "validation"):
        folders = sorted((tmp_path / "drawn/images" / split).iterdir())
        assert [folder.name for folder in folders] == list(LABELS)
        assert all(list(folder.glob("*.jpg")) for folder in folders)
    assert len(list((tmp_path / "drawn/images").glob("[tv]*/*/*.jpg"))) == images


@pytest.mark.parametrize("total", [7, 8, 200, 900, 28709])
def test_class_counts_add_up(total):
    counts = sample_data.class_counts(total)
    assert sum(counts.values()) == total
    assert min(counts.values()) >= 1
    if total >= 200:
        assert max(counts, key=counts.__getitem__) == "happy"
        assert min(counts, key=counts.__getitem__) == "disgust"


def test_expressions_differ():
    """The mean face of each class lies nearest to faces of its own, drawn anew."""

    def mean_face(label, stream):
        faces = [
            sample_data.draw_face(label, np.random.default_rng([stream, index])).astype(float)
            for index in range(150)
        ]
        return np.mean([face - face.mean() for face in faces], axis=0)

    means = {label: mean_face(label, 1) for label in LABELS}
    for label in LABELS:
        face = mean_face(label, 2)
        nearest = min(LABELS, key=lambda other: np.abs(face - means[other]).sum())
        assert nearest == label


def test_does_not_write_over_anything(tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(UserError, match="not an empty folder"):
        sample_data.draw_sample(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_refuses_too_few_images(tmp_path):
    with pytest.raises(UserError, match=r"images=13: too few, 7 classes in two splits need 14"):
        sample_data.draw_sample(tmp_path / "drawn", images=13)
