"""Colour pictures of other sizes, numbers for classes, valid/ for the second split: RAF-DB's ways."""

import pathlib

import cv2
import pytest
import tensorflow as tf

from emotion_pipeline.components.sources.sample_data import draw_sample
from tests.components.example_artifacts import example
from tests.e2e.conftest import SHORT, emotion, run_pipeline

pytestmark = pytest.mark.slow


def write_like_raf_db(drawn: pathlib.Path, data: pathlib.Path) -> None:
    """Writes the drawn faces as colour JPEGs of 100 x 100, every fifth of them of 224 x 224."""
    for split, out in (("train", "train"), ("validation", "valid")):
        for number, folder in enumerate(sorted((drawn / "images" / split).iterdir()), start=1):
            target = data / out / str(number)
            target.mkdir(parents=True)
            for index, file in enumerate(sorted(folder.iterdir())):
                side = 224 if index % 5 == 0 else 100
                picture = cv2.resize(cv2.imread(str(file)), (side, side))
                picture[..., 0] //= 2  # blue: so that it matters how colour becomes gray
                cv2.imwrite(str(target / f"{index}_aligned.jpg"), picture)


def test_they_train_and_are_served_alike(tmp_path):
    drawn, data, root = tmp_path / "drawn", tmp_path / "data", tmp_path / "root"
    draw_sample(drawn, images=210)
    write_like_raf_db(drawn, data)
    schema = tmp_path / "schema.pbtxt"
    proposed = emotion("schema", "infer", data, "--root", root, "--out", schema)
    assert proposed.returncode == 0, proposed.stderr
    assert "max: 224" in schema.read_text()

    labels = ["--set", "labels=[1,2,3,4,5,6,7]", "--set", f"schema={schema}"]
    outcome = run_pipeline(root, data, *labels, *SHORT)
    assert outcome.status == 0, outcome.output
    assert outcome.summary["metrics"]["per_class"].keys() == set("1234567")
    told = "pictures are not 48x48 pixels (100x100, 224x224)"
    assert told in (root / "report.html").read_text()
    assert outcome.output.count(told) == 1  # the pictures were read by the command before

    [version] = (root / "pushed/emotion").iterdir()
    signatures = tf.saved_model.load(str(version)).signatures
    images = [file.read_bytes() for file in sorted((data / "valid/4").iterdir())]
    served = signatures["serving_default"](image_bytes=tf.constant(images))
    trained = signatures["evaluate"](
        examples=tf.constant([example("4", "4.jpg", image) for image in images])
    )
    tf.debugging.assert_equal(served["probabilities"], trained["probabilities"])
