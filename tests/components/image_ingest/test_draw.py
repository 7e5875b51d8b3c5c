"""Drawn splits keep together what belongs together."""

import cv2
import numpy as np
import pytest

from emotion_pipeline.components.constants import LABELS
from emotion_pipeline.components.errors import UserError
from emotion_pipeline.components.image_findings.findings import audit
from emotion_pipeline.components.image_findings.near_copies import load_pixels
from emotion_pipeline.components.image_ingest.ingest import ingest
from emotion_pipeline.components.image_ingest.manifest import kept_rows
from emotion_pipeline.components.sources import sample_data
from tests.components.pictures import encode, noise


def films(folder, films_per_class=10, frames=20):
    """A folder of class folders with frames of films: a drawn face that moves, under its own light."""
    drawn = folder.parent / "faces"
    sample_data.draw_sample(drawn, images=700, seed=3)
    rng = np.random.default_rng(5)
    for label in LABELS:
        faces = sorted((drawn / "images" / "train" / label).iterdir())[:films_per_class]
        for film, face in enumerate(faces):
            gray = cv2.imread(str(face), cv2.IMREAD_GRAYSCALE).astype(np.float32)
            place = folder / label
            place.mkdir(parents=True, exist_ok=True)
            for frame in range(frames):
                moved = np.roll(gray, frame // 5, axis=1) * (1 - 0.01 * frame)
                pixels = (moved + rng.normal(0, 2, gray.shape)).clip(0, 255).astype(np.uint8)
                name = f"film{label}{film:02d}_{frame:03d}.png"
                (place / name).write_bytes(encode(pixels, ".png"))
    return folder


@pytest.fixture(scope="module")
def film_frames(tmp_path_factory):
    return films(tmp_path_factory.mktemp("films") / "data")


def audited(folder, **options):
    table = ingest(folder, eval_fraction=0.2, **options)
    after, findings = audit(table, lambda path: load_pixels(folder, path))
    return kept_rows(table, "train"), kept_rows(after, "train"), kept_rows(after), findings


@pytest.mark.parametrize("group_by", ["", r"film(\w+?)_"])
def test_frames_of_films_stay_in_train(film_frames, group_by):
    before, after, kept, findings = audited(film_frames, group_by=group_by)
    assert len(before) >= 0.75 * 1400
    assert len(after) == len(before), "what was drawn together is torn apart"
    crossing = {one.kind: one.groups for one in findings if one.kind.startswith("cross_split")}
    assert set(crossing.values()) == {()}
    shares = (kept["split"] == "eval").groupby(kept["label"]).mean()
    assert list(shares.index) == sorted(LABELS)
    assert shares.between(0.15, 0.25).all(), shares
    if group_by:
        film = kept["path"].str.extract(r"(film\w+?)_")[0]
        assert (kept["split"].groupby(film).nunique() == 1).all()


def test_a_person_in_several_classes_is_on_one_side(tmp_path):
    rng = np.random.default_rng(2)
    for number in range(600):
        label, person = LABELS[rng.integers(3)], rng.integers(40)
        path = tmp_path / label / f"p{person:02d}-{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encode(noise(number), ".png"))
    table = kept_rows(ingest(tmp_path, eval_fraction=0.25, group_by=r"/(p\d+)-"))
    person = table["path"].str.extract(r"/(p\d+)-")[0]
    assert (table["split"].groupby(person).nunique() == 1).all()
    shares = (table["split"] == "eval").groupby(table["label"]).mean()
    assert shares.between(0.2, 0.3).all(), shares


def test_a_picture_more_changes_no_other(tmp_path):
    for number in range(200):
        path = tmp_path / LABELS[number % 2] / f"{number}.png"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(encode(noise(number), ".png"))
    before = ingest(tmp_path, eval_fraction=0.2).set_index("path")["split"]
    (tmp_path / LABELS[0] / "new.png").write_bytes(encode(noise(999), ".png"))
    after = ingest(tmp_path, eval_fraction=0.2).set_index("path")["split"]
    assert (after[before.index] != before).sum() <= 1


def test_a_class_of_one_film_is_learnt_and_that_is_told(tmp_path, caplog):
    for number in range(20):
        for label, name in (("happy", "only"), ("sad", f"film{number % 5}")):
            path = tmp_path / label / f"{name}_{number}.png"
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(encode(noise(number + 50 * (label == "sad")), ".png"))
    with caplog.at_level("INFO", logger="emotion"):
        table = kept_rows(ingest(tmp_path, eval_fraction=0.2, group_by=r"(\w+)_"))
    assert set(table["split"][table["label"] == "happy"]) == {"train"}
    assert (table["split"][table["label"] == "sad"] == "eval").sum() == 4
    assert "happy: 0% of its pictures are in eval, 20% were asked for" in caplog.text


def test_an_expression_that_fits_nothing_or_that_is_not_used_is_said(tmp_path):
    for split in ("train", "validation"):
        for label in LABELS[:2]:
            path = tmp_path / "data" / split / label / "1.png"
            path.parent.mkdir(parents=True)
            path.write_bytes(encode(noise(len(str(path))), ".png"))
    with pytest.raises(UserError, match=r"--group-by x: .* has splits of its own"):
        ingest(tmp_path / "data", group_by="x")
    with pytest.raises(UserError, match=r"--group-by film\\d: matches no path"):
        ingest(tmp_path / "data" / "train", group_by=r"film\d")
