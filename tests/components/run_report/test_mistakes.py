import json
import pathlib

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

import emotion_faces
from emotion_pipeline.components.predictions import Predictions
from emotion_pipeline.components.run_report.mistakes import (
    FEW_POINTS,
    MistakeMap,
    find_mistakes,
)
from tests.components.pictures import encode
from tests.components.run_report.contents import make_manifest

STATIC_DIR = pathlib.Path(emotion_faces.__file__).parent / "web" / "static"
NAMES = ("sad", "happy")
CORNER = slice(28, 36), slice(8, 16)


@pytest.fixture
def corner_model(tmp_path):
    """Looks at eight pixels by eight: the brighter, the happier."""

    def numbers(name, *values):
        return helper.make_tensor(name, TensorProto.INT64, [len(values)], values)

    nodes = [
        helper.make_node("Slice", ["pixels", "starts", "ends", "axes"], ["corner"]),
        helper.make_node("ReduceMean", ["corner"], ["mean"], axes=[1, 2], keepdims=0),
        helper.make_node("Sub", ["one", "mean"], ["rest"]),
        helper.make_node("Concat", ["rest", "mean"], ["probabilities"], axis=1),
    ]
    rows, columns = CORNER
    graph = helper.make_graph(
        nodes,
        "corner",
        [helper.make_tensor_value_info("pixels", TensorProto.FLOAT, ["N", 48, 48, 1])],
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["N", 2])],
        [
            numbers("starts", rows.start, columns.start),
            numbers("ends", rows.stop, columns.stop),
            numbers("axes", 1, 2),
            helper.make_tensor("one", TensorProto.FLOAT, [], [1.0]),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    helper.set_model_props(model, {"labels": json.dumps(NAMES)})
    file = tmp_path / "model.onnx"
    onnx.save(model, str(file))
    return str(file)


@pytest.fixture
def manifest(tmp_path):
    """Two pictures of `sad` that are bright in the model's corner, and one of `happy`."""
    made = make_manifest(tmp_path / "data", list(NAMES), per_class=2)
    pixels = np.zeros((48, 48), np.uint8)
    pixels[CORNER] = 255
    for name in ("0", "1"):
        (made.root / f"train/sad/{name}.jpg").write_bytes(encode(pixels, ".png"))
    return made


def answers(*rows):
    labels, happy, paths = zip(*rows, strict=True)
    probabilities = np.array([[1 - one, one] for one in happy], np.float32)
    votes = np.zeros((len(rows), len(NAMES) + 1), np.float32)
    return Predictions(NAMES, np.array(labels), probabilities, votes, np.array(paths))


PREDICTIONS = answers(
    (0, 0.8, "train/sad/1.jpg"),
    (0, 0.9, "train/sad/0.jpg"),
    (1, 0.7, "train/happy/0.jpg"),
    (1, 0.4, "gone.jpg"),
)


def test_the_surest_mistake_of_a_class_is_explained(manifest, corner_model):
    sad, happy = find_mistakes(PREDICTIONS, manifest, corner_model)
    assert (sad.label, sad.wrong, sad.images, sad.taken_for) == ("sad", 2, 2, [("happy", 2)])
    assert [one.picture.name for one in sad.pictures] == ["train/sad/0.jpg", "train/sad/1.jpg"]
    first, second = sad.pictures
    assert second.why is None
    # The whole corner can be covered at once, by the little that a blur leaves of its light.
    assert 0.3 < first.why.largest_fall < 1
    assert first.why.uri.startswith("data:image/jpeg;base64,")
    assert first.why.uri != first.picture.uri
    gone = happy.pictures[0]
    assert (gone.picture.uri, gone.why) == ("", None)


@pytest.mark.parametrize(
    ("fall", "decides"), [(0.0, False), (-0.01, False), (0.049, False), (0.05, True)]
)
def test_a_spot_decides_from_the_fall_on_that_the_web_page_says_so_too(fall, decides):
    assert MistakeMap("", fall).decides == decides
    script = (STATIC_DIR / "why.js").read_text(encoding="utf-8")
    assert f"const FEW_POINTS = {FEW_POINTS};" in script


def test_without_a_model_there_are_pictures_alone(manifest):
    sad, _ = find_mistakes(PREDICTIONS, manifest)
    assert [one.why for one in sad.pictures] == [None, None]
