import itertools

import cv2
import numpy as np
import pandas as pd
import pytest

from emotion_pipeline.components.errors import UserError
from emotion_pipeline.components.image_findings import near_copies
from emotion_pipeline.components.image_ingest.measure import measure_pixels
from tests.components.pictures import encode


def smooth_picture(seed: int) -> np.ndarray:
    coarse = np.random.default_rng(seed).integers(0, 256, (8, 8)).astype(np.uint8)
    return cv2.resize(coarse, (48, 48), interpolation=cv2.INTER_CUBIC)


def find(pictures: dict[str, np.ndarray], load=None) -> list[list[str]]:
    """Returns the groups by the names of the pictures."""
    rows = [{"path": name, **measure_pixels(pixels)._asdict()} for name, pixels in pictures.items()]
    table = pd.DataFrame(rows)
    names = dict(zip(table["pixel_hash"], table["path"], strict=True))
    groups = near_copies.find_near_copies(table, load or pictures.__getitem__)
    return sorted(sorted(names[key] for key in group) for group in groups)


def test_groups_pictures_that_are_nearly_the_same():
    one, other, third = (smooth_picture(seed) for seed in range(3))
    pictures = {
        "one": one,
        "one brighter": cv2.convertScaleAbs(one, alpha=0.9, beta=10),
        "one recoded": cv2.imdecode(np.frombuffer(encode(one), np.uint8), cv2.IMREAD_GRAYSCALE),
        "other": other,
        "other larger": cv2.resize(other, (96, 96), interpolation=cv2.INTER_LINEAR),
        "third": third,
        "third mirrored": third[:, ::-1].copy(),
    }
    assert find(pictures) == [["one", "one brighter", "one recoded"], ["other", "other larger"]]


def test_does_not_believe_hashes_alone():
    one = smooth_picture(0)
    read = []

    def load(name):
        read.append(name)
        return smooth_picture(1) if name == "one" else one

    assert find({"one": one, "one again": cv2.add(one, 1)}, load) == []
    assert sorted(read) == ["one", "one again"]


def test_exact_copies_are_one_picture():
    one = smooth_picture(0)
    assert find({"one": one, "the same": one.copy()}) == []


def test_leaves_constant_pictures_out():
    flat = {str(gray): np.full((48, 48), gray, np.uint8) for gray in (0, 1, 2, 200)}
    assert find(flat) == []


def test_near_pairs_are_those_that_comparing_all_finds():
    rng = np.random.default_rng(0)
    centres = rng.integers(0, 2**63, 150, dtype=np.uint64)
    values = [int(centre) for centre in centres]
    for centre in centres:
        for flips in range(1, 10):
            bits = rng.choice(64, flips, replace=False)
            values.append(int(centre) ^ sum(1 << int(bit) for bit in bits))
    unique = np.unique(np.array(values, dtype=np.uint64))
    expected = {
        (i, j)
        for i, j in itertools.combinations(range(len(unique)), 2)
        if (int(unique[i]) ^ int(unique[j])).bit_count() <= near_copies.MAX_DISTANCE_BITS
    }
    found = [tuple(pair) for pairs in near_copies._near_pairs(unique) for pair in pairs.tolist()]
    assert len(found) == len(set(found))
    assert set(found) == expected
    assert len(expected) > 900


@pytest.mark.slow
def test_chunks_change_nothing(monkeypatch):
    values = np.unique(np.random.default_rng(1).integers(0, 2**20, 3000, dtype=np.uint64))

    def pairs():
        found = near_copies._near_pairs(values)
        return sorted(tuple(pair) for chunk in found for pair in chunk.tolist())

    whole = pairs()
    monkeypatch.setattr(near_copies, "_CHUNK", 1000)
    assert pairs() == whole
    assert whole


def test_names_a_picture_that_is_gone_or_changed(tmp_path):
    with pytest.raises(UserError, match=r"gone.jpg: cannot be read any more"):
        near_copies.load_pixels(tmp_path, "gone.jpg")
    for content in (b"", b"words"):
        (tmp_path / "changed.jpg").write_bytes(content)
        with pytest.raises(UserError, match=r"changed.jpg: no picture any more"):
            near_copies.load_pixels(tmp_path, "changed.jpg")
