import collections
import json
import pathlib

import pytest
from tfx import types
from tfx.types import standard_artifacts

from emotion_pipeline.components.class_balancer.component import ClassBalancer
from emotion_pipeline.components.class_balancer.executor import Executor
from tests.components.example_artifacts import (
    BEAM_ARGS,
    beam_context,
    example,
    examples_of,
    read_records,
    values,
    write_examples,
)

pytestmark = pytest.mark.slow

_SPLITS = {
    "train": examples_of({"happy": 7, "sad": 3, "disgust": 1}),
    "eval": examples_of({"happy": 2, "sad": 1, "disgust": 1}),
}


def balance(folder, splits=_SPLITS, shards=1, beam_args=BEAM_ARGS, **changes):
    """Runs the executor on temporary artifacts and returns its input and output."""
    source = write_examples(folder / "examples", splits, shards)
    balanced = standard_artifacts.Examples()
    balanced.uri = str(folder / "balanced")
    properties = {"method": "translate", "max_shift_px": 4, "seed": 1, "code_fingerprint": ""}
    Executor(beam_context(folder, beam_args)).Do(
        {"examples": [source]}, {"balanced_examples": [balanced]}, {**properties, **changes}
    )
    return source, balanced


@pytest.fixture(scope="module")
def balanced(tmp_path_factory):
    return balance(tmp_path_factory.mktemp("balanced"))


def test_classes_are_equally_large(balanced):
    source, artifact = balanced
    records = [values(record) for record in read_records(artifact, "train")]
    labels = collections.Counter(record["label"] for record in records)
    assert labels == {b"happy": 7, b"sad": 7, b"disgust": 7}
    originals = {r["path"]: r["image"] for r in records if r["copy_index"] == 0}
    sources = [values(record) for record in read_records(source, "train")]
    assert originals == {one["path"]: one["image"] for one in sources}
    copies = [r for r in records if r["copy_index"] > 0]
    assert len(copies) == 4 + 6
    assert len({(r["path"], r["shift_x_px"], r["shift_y_px"]) for r in copies}) == 10
    for record in copies:
        assert (record["shift_x_px"], record["shift_y_px"]) != (0, 0)
        assert max(abs(record["shift_x_px"]), abs(record["shift_y_px"])) <= 4


def test_records_the_counts(balanced):
    assert json.loads(balanced[1].get_string_custom_property("class_counts")) == {
        "disgust": {"before": 1, "after": 7},
        "happy": {"before": 7, "after": 7},
        "sad": {"before": 3, "after": 7},
    }
    assert json.loads(balanced[1].split_names) == ["train", "eval"]


def test_leaves_the_eval_split_untouched(balanced):
    before, after = (
        {path.name: path.read_bytes() for path in pathlib.Path(one.uri, "Split-eval").iterdir()}
        for one in balanced
    )
    assert before == after
    assert len(before) == 1


def test_leaves_a_test_split_untouched(tmp_path):
    splits = {**_SPLITS, "test": examples_of({"happy": 1, "sad": 2})}
    source, artifact = balance(tmp_path, splits)
    assert json.loads(artifact.split_names) == ["train", "eval", "test"]
    assert list(read_records(artifact, "test")) == list(read_records(source, "test"))
    assert len(read_records(artifact, "test")) == 3


def test_the_same_seed_gives_the_same_records_from_two_workers(balanced, tmp_path):
    two_workers = [
        "--runner=DirectRunner",
        "--direct_running_mode=multi_threading",
        "--direct_num_workers=2",
    ]
    _, other = balance(tmp_path, shards=4, beam_args=two_workers)
    assert read_records(other, "train") == read_records(balanced[1], "train")
    assert other.get_string_custom_property("class_counts") == balanced[
        1
    ].get_string_custom_property("class_counts")


def test_another_seed_gives_other_shifts(balanced, tmp_path):
    _, other = balance(tmp_path, seed=2)
    records = read_records(other, "train")
    assert len(records) == 21
    assert records != read_records(balanced[1], "train")


def test_method_none_passes_every_image_once(tmp_path):
    source, artifact = balance(tmp_path, method="none")
    found = [values(record) for record in read_records(artifact, "train")]
    assert {one["copy_index"] for one in found} == {0}
    sources = [values(record) for record in read_records(source, "train")]
    assert sorted(one["path"] for one in found) == sorted(one["path"] for one in sources)
    counts = json.loads(artifact.get_string_custom_property("class_counts"))
    assert counts["sad"] == {"before": 3, "after": 3}


def test_names_the_picture_that_cannot_be_decoded(tmp_path):
    splits = {
        "train": [*examples_of({"happy": 2}), example("sad", "sad/bad.jpg", b"no picture")],
        "eval": [],
    }
    with pytest.raises(Exception, match=r"sad/bad\.jpg: the image of this Example cannot"):
        balance(tmp_path, splits)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"method": "mirror"}, "method must be one of .*, got 'mirror'"),
        ({"max_shift_px": 0}, "max_shift_px must be from 1 to 47, got 0"),
        ({"max_shift_px": 48}, "max_shift_px must be from 1 to 47, got 48"),
        ({"examples": types.Channel(type=standard_artifacts.Schema)}, "of Examples, got Schema"),
    ],
)
def test_refuses_bad_wiring(arguments, message):
    examples = types.Channel(type=standard_artifacts.Examples)
    with pytest.raises(ValueError, match=message):
        ClassBalancer(**{"examples": examples, **arguments})


def test_carries_its_settings_and_its_code_in_the_cache_key():
    component = ClassBalancer(types.Channel(type=standard_artifacts.Examples), seed=7)
    properties = component.exec_properties
    assert (properties["method"], properties["max_shift_px"], properties["seed"]) == (
        "translate",
        4,
        7,
    )
    assert len(properties["code_fingerprint"]) == 16
