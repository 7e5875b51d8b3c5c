"""Pictures that are kept out of the training, by what they are and not by how they come."""

import json
import re
import types

import numpy as np
import pytest
import tensorflow as tf

from emotion_pipeline.components import features
from emotion_pipeline.components.calibration import tempered
from emotion_pipeline.components.examples.example_proto import make_example
from emotion_pipeline.modules import calibration, trainer_module
from emotion_pipeline.modules.calibration import HELD_OUT, calibrate, hold_out
from emotion_pipeline.modules.checkpoints import TrainState
from emotion_pipeline.modules.training_data import Split, load_split
from emotion_pipeline.settings import to_dict
from emotion_pipeline.train_config import TrainConfig
from tests.components.pictures import encode, noise
from tests.pipeline.test_training_data import TransformOutput

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def few_are_enough(monkeypatch):
    monkeypatch.setattr(calibration, "LEAST_PICTURES", 5)


def make_split(count=120, copies=1):
    """Pictures of two classes with translated copies; of every ten, two are equal and two nearly so."""
    pixels = [noise(number) for number in range(count)]
    for first in range(0, count, 10):
        pixels[first + 3] = pixels[first]
        pixels[first + 7] = (pixels[first + 5] // 2 + 20).astype(np.uint8)
    paths = [f"train/{number:03d}.png".encode() for number in range(count)]
    rows = [(n, copy) for n in range(count) for copy in range(copies + 1)]
    return Split(
        np.stack([np.roll(pixels[n], copy, axis=1) for n, copy in rows])[..., None],
        np.array([n // 10 % 2 for n, _ in rows]),
        np.array([copy > 0 for _, copy in rows]),
        paths=np.array([paths[n] for n, _ in rows], object),
    )


def numbers(split):
    return {int(path[6:9]) for path in split.paths}


def test_whole_groups_are_kept_out_and_no_copy_of_them_is_trained_on():
    split = make_split()
    rest, held_out, note = hold_out(split, 0.25, seed=1)
    assert note == HELD_OUT
    assert numbers(rest) | numbers(held_out) == set(range(120))
    assert numbers(rest) & numbers(held_out) == set()
    assert len(rest) == 2 * len(numbers(rest)), "a copy stayed or went without its picture"
    assert not held_out.is_copy.any()
    assert len(held_out) == len(numbers(held_out))
    for label in (0, 1):
        assert 0.2 <= (held_out.labels == label).sum() / 60 <= 0.3
    for first in range(0, 120, 10):
        for pair in ({first, first + 3}, {first + 5, first + 7}):
            assert len(pair & numbers(held_out)) in (0, 2), "copies are on both sides"


def test_what_an_expression_puts_together_stays_together():
    _, held_out, _ = hold_out(make_split(), 0.25, seed=1, group_by=r"/(\d\d)")
    films = {number // 10 for number in numbers(held_out)}
    assert numbers(held_out) == {10 * film + frame for film in films for frame in range(10)}


def test_another_seed_keeps_out_others():
    one, again, other = (numbers(hold_out(make_split(), 0.2, seed)[1]) for seed in (1, 1, 2))
    assert one == again
    assert one != other


def test_however_many_workers_wrote_the_examples(tmp_path):
    records = [
        make_example({
            features.IMAGE_KEY: encode(noise(number), ".png"), features.LABEL_KEY: "sad",
            features.PATH_KEY: f"train/{number:03d}.png", features.COPY_INDEX_KEY: copy,
        })
        for number in range(40)
        for copy in (0, 1)
    ]  # fmt: skip
    found = []
    for shards in (1, 3):
        folder = tmp_path / str(shards)
        folder.mkdir()
        for shard in range(shards):
            with tf.io.TFRecordWriter(str(folder / f"{shard}")) as writer:
                for record in records[:: 1 if shards == 1 else -1][shard::shards]:
                    writer.write(record)
        rest, held_out, _ = hold_out(
            load_split([str(folder / "*")], TransformOutput()), 0.25, seed=1
        )
        assert len(rest) == 2 * (40 - len(held_out))
        found.append((held_out.paths.tolist(), rest.fingerprint()))
    assert found[0] == found[1]


@pytest.mark.parametrize(
    ("share", "note"),
    [
        (0.0, "train.calibration_share is 0"),
        (0.02, r"train.calibration_share=0.02 is \d of 120 train pictures, and fewer than 5 say"),
    ],
)
def test_too_few_are_said_and_trained_on(share, note):
    split = make_split()
    rest, held_out, told = hold_out(split, share, seed=1)
    assert rest is split
    assert len(held_out) == 0
    assert re.match(note, told)


def test_a_temperature_at_the_end_of_its_range_is_said_to_be_there():
    labels = np.arange(100) % 2
    wrong = np.eye(2, dtype=np.float32)[1 - labels] * 0.9 + 0.05
    found = calibrate((wrong, labels), (wrong, labels), "pictures")
    assert found.temperature == pytest.approx(4.0)
    assert "fitted on 100 pictures (the end of its range" in found.describe()
    fair = np.full((100, 2), (0.6, 0.4), np.float32), np.arange(100) // 60
    assert "range" not in calibrate(fair, fair, "pictures").describe()


@pytest.fixture
def trainer(monkeypatch, tmp_path):
    """Trainer's function without a training; returns what it gave to the training and to the export."""
    given = {}

    def train(model, train_split, eval_split, config, seed, key, **_):
        given.update(trained_on=train_split, key=key)
        return TrainState([{"val_accuracy": 0.5}], 0)

    def export(network, class_names, *_, temperature, metrics, **__):
        given.update(temperature=temperature, metrics=metrics)

    def load(files, _):
        return make_split() if files == ["train"] else make_split(40, copies=0)

    def run(**changes):
        config = TrainConfig(precision="float32", **changes)
        custom = {
            "labels": ["happy", "sad"], "train": to_dict(config), "seed": 1, "group_by": "",
            "checkpoints_dir": str(tmp_path / "checkpoints"), "code_fingerprint": "",
        }  # fmt: skip
        arguments = {
            "custom_config": custom, "transform_graph_path": "", "train_files": ["train"],
            "eval_files": ["eval"], "model_run_dir": str(tmp_path), "serving_model_dir": "",
        }  # fmt: skip
        trainer_module.run_fn(types.SimpleNamespace(**arguments))
        return given, json.loads((tmp_path / "training.json").read_text())

    monkeypatch.setattr(trainer_module, "train", train)
    monkeypatch.setattr(trainer_module, "export", export)
    monkeypatch.setattr(trainer_module, "load_split", load)
    monkeypatch.setattr(trainer_module.tft, "TFTransformOutput", lambda _: None)
    monkeypatch.setattr(tf.config.experimental, "enable_op_determinism", lambda: None)
    return run


def test_the_trainer_trains_on_the_rest_and_exports_what_it_fitted(trainer):
    given, training = trainer(calibration_share=0.25)
    rest, held_out, _ = hold_out(make_split(), 0.25, seed=1)
    assert given["trained_on"].paths.tolist() == rest.paths.tolist()
    told = training["calibration"]
    assert told["pictures"] == len(held_out)
    # What was not trained guesses, and is as right as it says only at the highest temperature.
    assert told["temperature"] == given["temperature"] != 1
    assert given["metrics"]["calibration"] == told
    assert told["error"] != told["error_before"]
    assert given["metrics"]["loss"] == training["eval"]["loss"]


def test_a_training_with_another_share_is_another(trainer):
    plain = dict(trainer()[0])
    assert plain["temperature"] == 1
    assert plain["trained_on"].paths.tolist() == make_split().paths.tolist()
    keys = {plain["key"]} | {trainer(calibration_share=share)[0]["key"] for share in (0.2, 0.25)}
    assert len(keys) == 3


def test_another_prior_needs_no_other_training(trainer):
    plain = dict(trainer()[0])
    given, training = trainer(prior_correction=1.0, int8=False)
    assert given["key"] == plain["key"]
    assert training["prior_correction"].startswith(
        "prior correction of 1, added to the logits: happy "
    )
    assert "prior_correction" not in trainer()[1]


def test_the_errors_are_of_the_pictures_that_did_not_fit_it():
    fitted = np.array([[0.9, 0.1]] * 10, np.float32), np.array([0] * 7 + [1] * 3)
    measured = np.array([[0.9, 0.1]] * 10, np.float32), np.array([0] * 8 + [1] * 2)
    found = calibration.calibrate(fitted, measured, "pictures")
    assert tempered(fitted[0], found.temperature)[0, 0] == pytest.approx(0.7)
    assert (found.error_before, found.error) == pytest.approx((0.1, 0.1))
