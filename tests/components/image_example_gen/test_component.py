import hashlib
import json

import cv2
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from PIL import Image
from tfx import types
from tfx.types import standard_artifacts

from emotion_pipeline.components.artifacts import ImageManifest
from emotion_pipeline.components.errors import UserError
from emotion_pipeline.components.image_example_gen.component import ImageExampleGen
from emotion_pipeline.components.image_example_gen.executor import Executor
from emotion_pipeline.components.image_ingest.manifest import (
    ROW_GROUP_ROWS,
    Manifest,
    make_table,
    prune,
    write_manifest,
)
from emotion_pipeline.components.image_ingest.measure import measure_image
from emotion_pipeline.components.image_ingest.prune_reason import PruneReason
from tests.components.example_artifacts import beam_context, read_records, values
from tests.components.pictures import noise, write_picture

pytestmark = pytest.mark.slow

_PATHS = {
    "train/happy/1 é.jpg": ("train", "happy"),
    "train/happy/2.jpg": ("train", "happy"),
    "train/sad/3.jpg": ("train", "sad"),
    "eval/sad/4.jpg": ("eval", "sad"),
}


@pytest.fixture
def manifest(tmp_path):
    """A manifest of four pictures, of which train/happy/2.jpg is pruned."""
    rows = []
    for seed, (path, (split, label)) in enumerate(_PATHS.items()):
        data = write_picture(tmp_path / "faces" / path, seed)
        rows.append(
            {
                "path": path,
                "split": split,
                "label": label,
                "bytes": len(data),
                "content_hash": hashlib.sha256(data).hexdigest(),
                **measure_image(data)._asdict(),
                "status": "kept",
                "reason": "",
            }
        )
    table = prune(make_table(rows), {"train/happy/2.jpg"}, PruneReason.EXACT_COPY)
    return Manifest(table, tmp_path / "faces", "faces")


def generate(folder, manifest):
    """Runs the executor on temporary artifacts and returns the Examples."""
    source, examples = ImageManifest(), standard_artifacts.Examples()
    source.uri, examples.uri = str(folder / "manifest"), str(folder / "examples")
    write_manifest(manifest, source.uri)
    Executor(beam_context(folder)).Do({"manifest": [source]}, {"examples": [examples]}, {})
    return examples


def test_a_picture_that_exif_turns_is_stored_upright_and_left_as_it_is(tmp_path):
    stored = noise(1)[:32]
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned clockwise
    path = tmp_path / "faces" / "train" / "sad" / "1.png"
    path.parent.mkdir(parents=True)
    Image.fromarray(stored).save(path, exif=exif)
    data = path.read_bytes()
    row = {
        **{"path": "train/sad/1.png", "split": "train", "label": "sad", "bytes": len(data)},
        **{"content_hash": hashlib.sha256(data).hexdigest(), "status": "kept", "reason": ""},
        **measure_image(data)._asdict(),
    }
    assert (row["width"], row["height"], row["orientation"]) == (32, 48, 6)
    examples = generate(tmp_path, Manifest(make_table([row]), tmp_path / "faces", "faces"))
    [example] = map(values, read_records(examples, "train"))
    pixels = cv2.imdecode(np.frombuffer(example["image"], np.uint8), cv2.IMREAD_UNCHANGED)
    np.testing.assert_array_equal(pixels, np.rot90(stored, -1))
    assert path.read_bytes() == data


def test_writes_the_kept_pictures_of_each_split(manifest, tmp_path):
    examples = generate(tmp_path, manifest)
    assert json.loads(examples.split_names) == ["train", "eval"]
    found = {
        split: {one["path"].decode(): one for one in map(values, read_records(examples, split))}
        for split in ("train", "eval")
    }
    assert {split: sorted(one) for split, one in found.items()} == {
        "train": ["train/happy/1 é.jpg", "train/sad/3.jpg"],
        "eval": ["eval/sad/4.jpg"],
    }
    one = found["train"]["train/happy/1 é.jpg"]
    image = (tmp_path / "faces/train/happy/1 é.jpg").read_bytes()
    row = manifest.table.set_index("path").loc["train/happy/1 é.jpg"]
    assert one == {
        "image": image,
        "label": b"happy",
        "path": "train/happy/1 é.jpg".encode(),
        "width": 48,
        "height": 48,
        "channels": 1,
        "size_bytes": len(image),
        "brightness": row["brightness"],
        "contrast": row["contrast"],
        "sharpness": row["sharpness"],
        "entropy": row["entropy"],
    }


def test_carries_the_votes_of_the_pictures_that_have_any(manifest, tmp_path):
    assert list(manifest.table["path"]) == [
        "eval/sad/4.jpg", "train/happy/1 é.jpg", "train/happy/2.jpg", "train/sad/3.jpg"
    ]  # fmt: skip
    votes = pd.DataFrame(
        {
            "votes/sad": [2.0, 0.5, 1.0, np.nan],
            "votes/happy": [3.0, 0.0, 1.0, np.nan],
            "votes_other": [0.0, 7.0, 1.0, np.nan],
        },
        dtype=np.float32,
        index=manifest.table.index,
    )
    table = pd.concat([manifest.table, votes], axis=1)
    examples = generate(tmp_path / "votes", Manifest(table, manifest.root, "faces"))
    found = {
        feature["path"].bytes_list.value[0].decode(): {
            key: list(feature[key].float_list.value)
            for key in ("votes", "votes_other")
            if key in feature
        }
        for split in ("train", "eval")
        for record in read_records(examples, split)
        for feature in [tf.train.Example.FromString(record).features.feature]
    }
    assert found == {
        "eval/sad/4.jpg": {"votes": [2.0, 3.0], "votes_other": [0.0]},
        "train/happy/1 é.jpg": {"votes": [0.5, 0.0], "votes_other": [7.0]},
        "train/sad/3.jpg": {},
    }
    # Without votes a picture's Example is the same to the byte, whether others have some or not.
    plain = generate(tmp_path / "plain", manifest)
    assert set(read_records(examples, "train")) & set(read_records(plain, "train")) == {
        record for record in read_records(plain, "train") if b"train/sad/3.jpg" in record
    }


def test_reads_every_row_group_of_a_manifest(manifest, tmp_path):
    gone = {"split": "train", "label": "sad", "status": "pruned", "reason": "empty_file"}
    # These sort between the pictures of eval and those of train, which are then two groups on.
    rows = [
        {**manifest.table.iloc[0], **gone, "path": f"gone/{number}"}
        for number in range(2 * ROW_GROUP_ROWS)
    ]
    table = make_table(manifest.table.to_dict("records") + rows)
    examples = generate(tmp_path, Manifest(table, manifest.root, "faces"))
    found = [
        values(record)["path"].decode()
        for split in ("train", "eval")
        for record in read_records(examples, split)
    ]
    assert sorted(found) == ["eval/sad/4.jpg", "train/happy/1 é.jpg", "train/sad/3.jpg"]


def test_names_a_file_that_was_changed_or_is_gone(manifest, tmp_path):
    (tmp_path / "faces/train/sad/3.jpg").write_bytes(b"changed")
    (tmp_path / "faces/train/happy/2.jpg").unlink()  # pruned, so nobody reads it
    with pytest.raises(UserError, match=r"faces: 1 files are gone .* first is 'train/sad/3\.jpg'"):
        generate(tmp_path / "changed", manifest)
    (tmp_path / "faces/eval/sad/4.jpg").unlink()
    with pytest.raises(UserError, match=r"faces: 2 files are gone .* first is 'eval/sad/4\.jpg'"):
        generate(tmp_path / "gone", manifest)


def test_an_empty_manifest_gives_empty_splits(tmp_path):
    examples = generate(tmp_path, Manifest(make_table([]), tmp_path, "nothing"))
    assert read_records(examples, "train") == []
    assert read_records(examples, "eval") == []


def test_refuses_bad_wiring():
    with pytest.raises(
        ValueError,
        match=r"manifest must be a channel of emotion_pipeline\.ImageManifest, got Schema",
    ):
        ImageExampleGen(types.Channel(type=standard_artifacts.Schema))
