import io
import json
import pathlib
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import onnx
import pytest
from PIL import Image

from emotion_faces import local_server, model_folder, predict, shipped
from emotion_faces.answers import ImageError, Prediction
from emotion_faces.errors import UserError
from emotion_faces.local_model import LocalModel
from emotion_faces.onnx_session import open_session
from emotion_faces.shipped import ShippedModel, find_model, shipped_models
from emotion_faces.web.about import read_about
from emotion_pipeline.shipped.models import find_shipped
from emotion_pipeline.shipped.onnx_folder import write_onnx_folder

LABELS = ("angry", "disgust", "fear", "happy", "neutral", "sad", "surprise")


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """A folder of the models that come with the project, as `emotion-faces` holds it."""
    folder = tmp_path_factory.mktemp("models")
    for name in ("deep", "specified"):
        write_onnx_folder(folder / name, find_shipped(name))
    return folder


@pytest.fixture(scope="module")
def model(models):
    with local_server.connect(model_dir=models / "deep") as model:
        yield model


def encoded(value=100, kind="PNG", size=(48, 48)):
    buffer = io.BytesIO()
    Image.new("L", size, value).save(buffer, kind)
    return buffer.getvalue()


def test_answers_pixels_in_batches_of_any_number(model):
    pixels = np.random.default_rng(1).random((70, 48, 48, 1), np.float32)
    answers = model.predict_pixels(pixels)
    assert len(answers) == 70
    for answer in answers:
        assert tuple(answer.probabilities) == LABELS
        assert sum(answer.probabilities.values()) == pytest.approx(1, abs=1e-5)
        assert answer.label == max(answer.probabilities, key=answer.probabilities.get)
    assert model.predict_pixels(pixels[:0]) == []
    (alone,) = model.predict_pixels(pixels[69:])
    assert alone.probabilities == pytest.approx(answers[69].probabilities, abs=1e-5)


def test_answers_encoded_images_each_for_itself(model):
    good = [
        encoded(kind=kind, size=size) for kind in ("PNG", "JPEG") for size in ((48, 48), (9, 7))
    ]
    answers = model.predict([*good, b"no picture", b"", good[0]])
    kinds = [type(answer) for answer in answers]
    assert kinds == [Prediction] * 4 + [ImageError] * 2 + [Prediction]
    assert "is not a picture that can be read" in answers[4].message
    assert answers[-1] == answers[0]
    assert {one.model_version for one in answers if isinstance(one, Prediction)} == {
        find_shipped("deep").facts.version
    }


def test_files_are_answered_as_by_a_server(model, tmp_path):
    (tmp_path / "a.png").write_bytes(encoded())
    (tmp_path / "b.jpg").write_bytes(b"no picture")
    good, bad = predict.predict_files([tmp_path], model)
    assert good["label"] in LABELS
    assert "is not a picture that can be read" in bad["error"]


def test_the_models_that_come_along_are_found_the_best_first(models):
    accuracies = {n: find_shipped(n).facts.metrics["accuracy"] for n in ("deep", "specified")}
    best = max(accuracies, key=accuracies.get)
    assert shipped_models(models)[0].name == best
    found = find_model("specified", models)
    version_dir = model_folder.newest_version(models / "specified")
    card = version_dir / "assets.extra" / "MODEL_CARD.md"
    assert found == ShippedModel("specified", models / "specified", card)
    assert read_about(found.folder).network == "specified"
    with pytest.raises(
        UserError,
        match=r"--model x: no such model .* has deep, specified; emotion-pipeline has more",
    ):
        find_model("x", models)
    with pytest.raises(UserError, match="no model comes with this installation"):
        find_model(None, models / "none")


def test_what_does_not_lie_ready_is_made_of_its_weights(models, tmp_path, monkeypatch):
    shutil.copytree(models / "deep", tmp_path / "deep")
    monkeypatch.setattr(shipped, "FOLDER", tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert shipped.find_model("deep", tmp_path).folder == tmp_path / "deep"
    made = shipped.find_model("specified", tmp_path)
    assert made.folder.is_relative_to(tmp_path / "cache")
    with local_server.connect(model_dir=made.folder) as model:
        assert model.labels == LABELS


def test_the_newest_version_is_taken_whatever_it_holds(models, tmp_path):
    (version,) = (models / "deep").iterdir()
    shutil.copytree(version, tmp_path / "3")
    (tmp_path / "20").mkdir()
    (tmp_path / "20" / "saved_model.pb").write_bytes(b"")
    (tmp_path / "100").mkdir()
    for none in ("\u00b2", "9" * 30):
        shutil.copytree(tmp_path / "20", tmp_path / none)
    assert model_folder.newest_version(tmp_path) == tmp_path / "20"
    assert model_folder.onnx_file(tmp_path / "20") is None
    with local_server.connect(model_dir=tmp_path / "3") as model:
        assert model.version == 3


def test_a_file_of_a_version_is_taken_as_it_is(models):
    (version,) = (models / "deep").iterdir()
    file = model_folder.int8_file(models / "deep")
    assert file == version / "assets.extra" / "model.int8.onnx"
    assert model_folder.newest_version(file) == version
    pixels = np.random.default_rng(1).random((3, 48, 48, 1), np.float32)
    with (
        local_server.connect(model_dir=file) as small,
        local_server.connect(model_dir=version) as whole,
    ):
        assert (small.labels, small.version) == (whole.labels, int(version.name))
        assert small.predict_pixels(pixels) != whole.predict_pixels(pixels)


@pytest.mark.parametrize("content", [b"", b"no model", b"\x08\x08" * 50])
def test_a_damaged_file_is_named(tmp_path, content):
    path = tmp_path / "model.onnx"
    path.write_bytes(content)
    with pytest.raises(
        UserError, match=r"model\.onnx can't be loaded: it is empty, cut off .* copy it"
    ):
        LocalModel(path, 1)


def test_what_onnx_runtime_says_is_told_without_its_source(tmp_path):
    describe = onnx.helper.make_tensor_value_info
    ends = [[describe(name, onnx.TensorProto.FLOAT, [1])] for name in "xy"]
    graph = onnx.helper.make_graph([onnx.helper.make_node("Relu", ["x"], ["y"])], "graph", *ends)
    path = tmp_path / "model.onnx"
    onnx.save(onnx.helper.make_model(graph, ir_version=99), path)
    with pytest.raises(UserError, match=r"FAIL : .*Unsupported model IR version: 99") as refused:
        LocalModel(path, 1)
    assert "model.cc" not in str(refused.value)


@pytest.mark.parametrize(
    ("cause", "error"), [("signal.raise_signal(2)", KeyboardInterrupt), ("1 / 0", ImportError)]
)
def test_what_ends_the_import_of_onnx_runtime_is_no_fault_of_the_model(
    tmp_path, monkeypatch, cause, error
):
    """As its extension module does it: whatever comes up while it imports NumPy is an ImportError."""
    (tmp_path / "onnxruntime.py").write_text(
        f"""
import signal
try:
    {cause}
    for _ in range(1000):
        pass
except BaseException:
    raise ImportError("import numpy failed") from None
"""
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "onnxruntime")
    # A background job of a shell begins with SIGINT ignored.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(error):
            LocalModel(tmp_path / "model.onnx", 1)
    finally:
        signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize(
    ("labels", "size"),
    [(list(LABELS), 32), (["a"], 48), ("no list", 48), ([1] * 7, 48), (None, 48)],
)
def test_another_model_is_refused(tmp_path, labels, size):
    describe = onnx.helper.make_tensor_value_info
    shapes = (
        describe("pixels", onnx.TensorProto.FLOAT, ["N", size, size, 1]),
        describe("probabilities", onnx.TensorProto.FLOAT, ["N", 7]),
    )
    weights = onnx.numpy_helper.from_array(np.ones((size * size, 7), np.float32), "w")
    nodes = [
        onnx.helper.make_node("Flatten", ["pixels"], ["flat"]),
        onnx.helper.make_node("MatMul", ["flat", "w"], ["probabilities"]),
    ]
    graph = onnx.helper.make_graph(nodes, "other", shapes[:1], shapes[1:], [weights])
    model = onnx.helper.make_model(
        graph, opset_imports=[onnx.helper.make_opsetid("", 18)], ir_version=8
    )
    if labels is not None:
        onnx.helper.set_model_props(model, {"labels": json.dumps(labels)})
    path = tmp_path / "model.onnx"
    path.write_bytes(model.SerializeToString())
    with pytest.raises(UserError, match="is not a model of this project"):
        LocalModel(path, 1)


def test_neither_tensorflow_nor_grpc_is_imported(models, tmp_path):
    picture = tmp_path / "face.png"
    picture.write_bytes(encoded(size=(64, 64)))
    code = (
        "import sys; from emotion_pipeline.cli import main\n"
        "for command in ('annotate', 'predict'):\n"
        f"    assert main([command, {str(picture)!r}, '--model-dir', {str(models / 'deep')!r}]) == 0\n"
        "print(sorted({'grpc', 'tensorflow', 'tfx', 'onnx'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "[]"
    assert pathlib.Path(tmp_path, "marked", "face.png").is_file()


def linear_model(bias=(0.0, 0.0, 0.0), labels='["a", "b", "c"]', last="Softmax", **other):
    """A model of three classes that answers by its bias alone; `other`: `n`, `kind`, `weights`, `extra`."""
    onnx_type = other.get("kind", onnx.TensorProto.FLOAT)
    describe = onnx.helper.make_tensor_value_info
    weights = onnx.numpy_helper.from_array(np.zeros((48 * 48, 3), np.float32), "w")
    nodes = [
        onnx.helper.make_node("Flatten", ["pixels"], ["flat"]),
        onnx.helper.make_node("MatMul", ["flat", "w"], ["product"]),
        onnx.helper.make_node("Add", ["product", "bias"], ["sum"]),
        *other.get("extra", ()),
        onnx.helper.make_node(last, [other.get("end", "sum")], ["answer"]),
        onnx.helper.make_node("Cast", ["answer"], ["probabilities"], to=onnx_type),
    ]
    graph = onnx.helper.make_graph(
        nodes,
        "linear",
        [describe("pixels", onnx.TensorProto.FLOAT, [other.get("n", "N"), 48, 48, 1])],
        [describe("probabilities", onnx_type, [other.get("n", "N"), 3])],
        [
            other.get("weights", weights),
            onnx.numpy_helper.from_array(np.array(bias, np.float32), "bias"),
            *other.get("constants", ()),
        ],
    )
    model = onnx.helper.make_model(
        graph, opset_imports=[onnx.helper.make_opsetid("", 18)], ir_version=8
    )
    onnx.helper.set_model_props(model, {"labels": labels})
    return model.SerializeToString()


FACES = np.zeros((33, 48, 48, 1), np.float32)


def test_a_model_of_other_classes_answers(tmp_path):
    path = tmp_path / "model.onnx"
    path.write_bytes(linear_model(np.log([0.5, 0.3, 0.2])))
    answers = LocalModel(path, 1).predict_pixels(FACES)
    assert len(answers) == 33
    assert answers[32].label == "a"
    assert answers[32].probabilities == pytest.approx({"a": 0.5, "b": 0.3, "c": 0.2})


@pytest.mark.parametrize(
    "labels",
    ['["a", "a", "b"]', '["", "b", "c"]', '["a\\nb", "b", "c"]', '["\\ud800", "b", "c"]', "[" * 9**5],
)  # fmt: skip
def test_classes_that_cannot_be_told_apart_or_printed_are_refused(tmp_path, labels):
    path = tmp_path / "model.onnx"
    path.write_bytes(linear_model(labels=labels))
    with pytest.raises(UserError, match="is not a model of this project"):
        LocalModel(path, 1)


@pytest.mark.parametrize("other", [{"n": 1}, {"kind": onnx.TensorProto.DOUBLE}])
def test_another_number_or_type_is_refused(tmp_path, other):
    path = tmp_path / "model.onnx"
    path.write_bytes(linear_model(**other))
    with pytest.raises(UserError, match=r"must take 'pixels' float32 \[N, 48, 48, 1\]"):
        LocalModel(path, 1)


@pytest.mark.parametrize("bias", [(np.nan, 0, 0), (np.inf, 0, 0), (1.2, -0.2, 0), (0.5, 0.3, 0)])
def test_numbers_that_are_no_probabilities_are_no_answer(tmp_path, bias):
    path = tmp_path / "model.onnx"
    path.write_bytes(linear_model(bias, last="Identity"))
    model = LocalModel(path, 1)
    with pytest.raises(UserError, match=r"answers no probabilities of 3 classes.*\[32, 3\]"):
        model.predict_pixels(FACES)


def test_what_fails_or_answers_fewer_faces_is_no_answer(tmp_path):
    path = tmp_path / "model.onnx"
    axis = onnx.numpy_helper.from_array(np.array([0]), "axis")
    mean = onnx.helper.make_node("ReduceMean", ["sum", "axis"], ["mean"])
    path.write_bytes(linear_model(extra=[mean], end="mean", constants=[axis]))
    with pytest.raises(UserError, match=r"for 32 faces numbers of shape \[1, 3\]"):
        LocalModel(path, 1).predict_pixels(FACES)
    two = onnx.numpy_helper.from_array(np.array([2, 3]), "two")
    reshape = onnx.helper.make_node("Reshape", ["sum", "two"], ["first"])
    path.write_bytes(linear_model(extra=[reshape], end="first", constants=[two]))
    with pytest.raises(UserError, match=r"model\.onnx does not answer: .*Reshape"):
        LocalModel(path, 1).predict_pixels(FACES)


def test_a_model_that_never_ends_is_given_up(tmp_path):
    describe = onnx.helper.make_tensor_value_info
    body = onnx.helper.make_graph(
        [
            onnx.helper.make_node("Identity", ["go"], ["goes"]),
            onnx.helper.make_node("Identity", ["value"], ["result"]),
        ],
        "body",
        [
            describe("i", onnx.TensorProto.INT64, []),
            describe("go", onnx.TensorProto.BOOL, []),
            describe("value", onnx.TensorProto.FLOAT, ["N", 3]),
        ],
        [
            describe("goes", onnx.TensorProto.BOOL, []),
            describe("result", onnx.TensorProto.FLOAT, ["N", 3]),
        ],
    )
    times = onnx.numpy_helper.from_array(np.array(2**62), "times")
    on = onnx.numpy_helper.from_array(np.array(True), "on")
    loop = onnx.helper.make_node("Loop", ["times", "on", "sum"], ["last"], body=body)
    path = tmp_path / "model.onnx"
    path.write_bytes(linear_model(extra=[loop], end="last", constants=[times, on]))
    model = LocalModel(path, 1, timeout_secs=0.2)
    with pytest.raises(UserError, match=r"does not answer: nothing came for 0\.2 s"):
        model.predict_pixels(FACES)


def test_what_constants_give_is_computed_within_the_time_too(tmp_path):
    """ONNX Runtime would do it as it loads the file, which nothing ends."""
    side = onnx.numpy_helper.from_array(np.array([5000, 5000]), "side")
    nodes = [
        onnx.helper.make_node("ConstantOfShape", ["side"], ["square"]),
        onnx.helper.make_node("MatMul", ["square", "square"], ["squared"]),
        onnx.helper.make_node("ReduceMax", ["squared"], ["zero"], keepdims=0),
        onnx.helper.make_node("Add", ["sum", "zero"], ["last"]),
    ]
    path = tmp_path / "model.onnx"
    path.write_bytes(linear_model(extra=nodes, end="last", constants=[side]))
    began = time.process_time()
    model = LocalModel(path, 1, timeout_secs=0.2)
    assert time.process_time() - began < 0.2  # the product alone is a second of it
    with pytest.raises(UserError, match=r"does not answer: nothing came for 0\.2 s"):
        model.predict_pixels(FACES)


@pytest.mark.parametrize("padded", [False, True])
def test_weights_in_other_files_are_not_read(tmp_path, padded):
    """Such a file may be any that the user can read, and the model's answers would tell what is in it."""
    outside = tmp_path / "outside"
    outside.write_bytes(np.zeros((48 * 48, 3), np.float32).tobytes())
    weights = onnx.TensorProto(name="w", data_type=onnx.TensorProto.FLOAT, dims=[48 * 48, 3])
    weights.data_location = onnx.TensorProto.EXTERNAL
    # A length may be written with a byte more than it need be.
    weights.external_data.add(key="+location" if padded else "location", value="outside")
    content = linear_model(weights=weights)
    path = tmp_path / "model.onnx"
    path.write_bytes(content.replace(b"\x0a\x09+location", b"\x0a\x88\x00location"))
    open_session(str(path))  # ONNX Runtime reads it
    with pytest.raises(UserError, match="has weights in other files, which are not read"):
        LocalModel(path, 1)
