import dataclasses
import os
import pathlib
import re
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.python.framework import config as tf_config

from emotion_pipeline.components.errors import UserError
from emotion_pipeline.modules import training
from emotion_pipeline.modules.averaging import averaged_weights
from emotion_pipeline.modules.checkpoints import Checkpoints, TrainState
from emotion_pipeline.modules.dropout import Dropout
from emotion_pipeline.modules.losses import Distillation, accuracy
from emotion_pipeline.modules.model import build_model
from emotion_pipeline.modules.training_data import (
    EpochBatches,
    Split,
    class_weights,
    label_targets,
)
from emotion_pipeline.train_config import TrainConfig

pytestmark = pytest.mark.slow

REPOSITORY = pathlib.Path(__file__).parents[2]


@pytest.fixture(scope="module", autouse=True)
def one_thread_per_step():
    """Sums come in the same order each time, so weights can be compared to the bit."""
    tf.config.experimental.enable_op_determinism()
    yield
    # Public TensorFlow has no way back, and other tests draw without a seed.
    tf_config.disable_op_determinism()


def make_split(count, seed=0):
    rng = np.random.default_rng(seed)
    return Split(
        pixels=rng.integers(0, 256, (count, 48, 48, 1), dtype=np.uint8),
        labels=np.arange(count, dtype=np.int64) % 3,
        is_copy=np.zeros(count, bool),
        votes=rng.integers(0, 5, (count, 4)).astype(np.float32),
    )


def small_model():
    """Returns a network with a layer of each kind that has a state."""
    layers = tf.keras.layers
    pixels = layers.Input((48, 48, 1))
    x = layers.AveragePooling2D(8)(pixels)
    x = layers.BatchNormalization(momentum=0.9)(x)
    x = layers.Flatten()(x)
    x = Dropout(0.5, seed=2)(x)
    start = tf.keras.initializers.GlorotUniform(seed=1)
    return tf.keras.Model(pixels, layers.Dense(3, "softmax", kernel_initializer=start)(x))


class CutOffError(Exception):
    """Stands in for a kill."""


def teachers(pixels):
    """Stand in for pushed models: brighter pictures are more of the first class."""
    bright = tf.reduce_mean(pixels, axis=[1, 2, 3])
    return tf.stack([bright, (1 - bright) / 2, (1 - bright) / 2], axis=1)


def run(folder, config, model=None, stop_after=None, monkeypatch=None):
    """Train, if asked for only until the end of an epoch, and return the model and its state."""
    tf.keras.utils.set_random_seed(5)
    model = model or small_model()
    if stop_after is not None:
        monkeypatch.setattr(training, "_report_epoch", _cut_off_after(stop_after))
    state = training.train(
        model,
        make_split(24),
        make_split(12, seed=1),
        config,
        seed=3,
        checkpoints_dir=str(folder / "checkpoints"),
        key="key",
        log_dir=str(folder / "logs"),
        teachers=teachers if config.teachers else None,
    )
    return model, state


def _cut_off_after(epochs):
    def report_epoch(state, _):
        if len(state.history) == epochs:
            raise CutOffError

    return report_epoch


def losses(state):
    return [(row["loss"], row["accuracy"], row["val_loss"]) for row in state.history]


@pytest.mark.parametrize(
    ("stop_after", "config"),
    [
        (
            2,
            TrainConfig(
                epochs=3,
                batch_size=8,
                schedule="cosine",
                warmup_epochs=1,
                weight_decay=0.01,
                dropout_steps=((0, 0.25), (0.5, 0.5)),
                flip=True,
                rotation_degrees=5,
                averaging_decay=0.9,
            ),
        ),
        (1, TrainConfig(epochs=3, batch_size=8, dropout_steps=((0, 0.0), (0.3, 0.5)))),
        (
            2,
            TrainConfig(
                epochs=3,
                batch_size=8,
                teachers=("a",),
                label_source="both",
                class_weight_power=0.5,
                mixup=0.2,
                normalize="equalize",
                gamma=0.5,
                contrast=0.3,
                blur_share=0.5,
                jpeg_share=0.5,
                erase_share=0.5,
            ),
        ),
    ],
)
def test_goes_on_where_it_was_cut_off(tmp_path, monkeypatch, stop_after, config):
    whole_model, whole = run(tmp_path / "whole", config)
    with monkeypatch.context() as patch, pytest.raises(CutOffError):
        run(tmp_path / "cut", config, stop_after=stop_after, monkeypatch=patch)
    model, state = run(tmp_path / "cut", config)
    assert state.resumed_at == [stop_after]
    assert losses(state) == losses(whole)
    assert state.best_epoch == whole.best_epoch
    for one, other in zip(model.get_weights(), whole_model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_the_specified_network_goes_on_where_it_was_cut_off(tmp_path, monkeypatch):
    config = TrainConfig(epochs=2, batch_size=12, flip=True)

    def network():
        return build_model(3, seed=1)

    whole_model, whole = run(tmp_path / "whole", config, network())
    with monkeypatch.context() as patch, pytest.raises(CutOffError):
        run(tmp_path / "cut", config, network(), stop_after=1, monkeypatch=patch)
    model, state = run(tmp_path / "cut", config, network())
    assert losses(state) == losses(whole)
    for one, other in zip(model.get_weights(), whole_model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_gives_the_model_the_weights_of_its_best_epoch(tmp_path):
    # A rate this high makes the accuracy jump, so the best epoch is not the last.
    config = TrainConfig(epochs=6, batch_size=8, learning_rate=0.3, dropout_steps=((0, 0.0),))
    model, state = run(tmp_path, config)
    accuracies = [row["val_accuracy"] for row in state.history]
    assert state.best_epoch == int(np.argmax(accuracies))
    split = make_split(12, seed=1)
    answers = model(split.pixels.astype(np.float32) / 255, training=False).numpy()
    assert np.mean(answers.argmax(axis=1) == split.labels) == pytest.approx(max(accuracies))


def test_the_best_epoch_is_that_of_the_least_loss_where_asked_for(tmp_path):
    config = TrainConfig(
        epochs=6,
        batch_size=8,
        learning_rate=0.1,
        dropout_steps=((0, 0.0),),
        best_epoch_by="loss",
    )
    model, state = run(tmp_path, config)
    of_loss = [row["val_loss"] for row in state.history]
    assert state.best_epoch == int(np.argmin(of_loss))
    assert state.best_epoch != int(np.argmax([row["val_accuracy"] for row in state.history]))
    split = make_split(12, seed=1)
    answers = model(split.pixels.astype(np.float32) / 255, training=False).numpy()
    told = -np.log(answers[np.arange(12), split.labels]).mean()
    assert told == pytest.approx(min(of_loss), rel=1e-5)


def test_stops_early(tmp_path):
    # With this rate no weight changes, so no epoch is better than the first.
    config = TrainConfig(
        epochs=9,
        batch_size=8,
        learning_rate=1e-30,
        batch_norm_momentum=0.99,
        early_stopping_patience=2,
    )
    model = tf.keras.Sequential([tf.keras.layers.Flatten(input_shape=(48, 48, 1))])
    model.add(tf.keras.layers.Dense(3, "softmax"))
    _, state = run(tmp_path, config, model)
    assert (len(state.history), state.best_epoch) == (3, 0)


def test_names_the_step_at_which_the_loss_is_no_number(tmp_path):
    model = small_model()
    model.layers[-1].set_weights([np.full((36, 3), np.nan), np.zeros(3)])
    with pytest.raises(UserError, match=r"epoch 1/100: the loss became nan at step 1\. Lower"):
        run(tmp_path, TrainConfig(batch_size=8), model)


def test_averages_do_not_change_what_is_learned(tmp_path):
    plain = TrainConfig(epochs=3, batch_size=8, dropout_steps=((0, 0.0),))
    averaged = dataclasses.replace(plain, averaging_decay=0.9)
    _, without = run(tmp_path / "plain", plain)
    _, state = run(tmp_path / "averaged", averaged)
    assert [row["loss"] for row in state.history] == [row["loss"] for row in without.history]
    assert [row["val_loss"] for row in state.history] != [
        row["val_loss"] for row in without.history
    ]


def test_averages_are_in_place_only_within_the_context():
    model = tf.keras.Sequential([tf.keras.layers.Dense(1, use_bias=False, input_shape=(1,))])
    optimizer = training.make_optimizer(TrainConfig(averaging_decay=0.75), 1)
    model.compile(optimizer, "mse")
    kernel = model.trainable_variables[0]
    kernel.assign([[0.0]])
    optimizer.build([kernel])
    for value in (4.0, 8.0):
        kernel.assign([[value]])
        # A zero gradient leaves the weight as it is and still moves the average.
        optimizer.apply_gradients([(tf.zeros([1, 1]), kernel)])
    with averaged_weights(model, np.zeros((1, 1), np.float32)):
        average = kernel.numpy().item()
    # 0.75 * (0.75 * 0 + 0.25 * 4) + 0.25 * 8
    assert average == pytest.approx(2.75)
    assert kernel.numpy().item() == 8.0


def test_averages_get_statistics_of_their_own():
    layers = tf.keras.layers
    norm = layers.BatchNormalization(momentum=0.9)
    dropout = layers.Dropout(0.5)
    model = tf.keras.Sequential([layers.Input((1,)), dropout, norm, layers.Dense(1)])
    model.compile(training.make_optimizer(TrainConfig(averaging_decay=0.9), 1), "mse")
    model.optimizer.build(model.trainable_variables)
    # The mean of zeros and ones is 0.5, their variance 0.25, and dropout would change both.
    sample = np.array([[0], [1]] * 200, np.float32)
    with averaged_weights(model, sample):
        assert norm.moving_mean.numpy() == pytest.approx([0.5])
        assert norm.moving_variance.numpy() == pytest.approx([0.25])
    assert (norm.moving_mean.numpy(), norm.moving_variance.numpy()) == (0.0, 1.0)
    assert (norm.momentum, dropout.rate) == (0.9, 0.5)


def test_learning_rate_schedule():
    assert training.learning_rate(TrainConfig(learning_rate=0.2), 10) == 0.2
    cosine = training.learning_rate(
        TrainConfig(epochs=3, learning_rate=0.2, schedule="cosine", warmup_epochs=1), 10
    )
    rates = [float(cosine(step)) for step in (0, 5, 10, 20, 30)]
    np.testing.assert_allclose(rates, [0.0, 0.1, 0.2, 0.1, 0.0], atol=1e-7)
    plain = training.learning_rate(TrainConfig(epochs=2, learning_rate=0.2, schedule="cosine"), 10)
    np.testing.assert_allclose([float(plain(s)) for s in (0, 10, 20)], [0.2, 0.1, 0.0], atol=1e-7)
    risen = training.learning_rate(TrainConfig(epochs=2, learning_rate=0.2, warmup_epochs=1), 10)
    np.testing.assert_allclose([float(risen(s)) for s in (0, 5, 10, 20)], [0.0, 0.1, 0.2, 0.2])


def test_dropout_schedule():
    config = TrainConfig(epochs=7, dropout_steps=((0, 0.0), (0.25, 0.25), (0.7, 0.5)))
    rates = [training.dropout_rate(config, epoch) for epoch in range(7)]
    assert rates == [0.0, 0.0, 0.25, 0.25, 0.25, 0.5, 0.5]
    # 0.55 * 100 is 55.00000000000001.
    half = TrainConfig(epochs=100, dropout_steps=((0, 0.0), (0.55, 0.5)))
    assert [training.dropout_rate(half, epoch) for epoch in (54, 55)] == [0.0, 0.5]


def test_class_weights():
    # 12 images, 9 and 3 of a class; a class without images weighs as one of one.
    labels = np.array([0] * 9 + [1] * 3)
    assert class_weights(labels, 3, power=1.0) == pytest.approx([2 / 3, 2, 6])
    # 9 / 3 + 3 / sqrt(3) is 4.732; 12 / 4.732 is 2.536.
    halfway = class_weights(labels, 3, power=0.5)
    assert halfway == pytest.approx([0.8453, 1.4641, 2.5359], abs=1e-4)
    assert halfway[0] * 9 + halfway[1] * 3 == pytest.approx(12)


def test_targets_are_the_folders_label_the_votes_or_a_mixture_of_both():
    split = Split(
        pixels=np.zeros((3, 4, 4, 1), np.uint8),
        labels=np.array([0, 1, 1]),
        is_copy=np.zeros(3, bool),
        # The last column is of those who saw none of the two; nobody voted on the third picture.
        votes=np.array([[3, 1, 6], [0, 0, 10], [0, 0, 0]], np.float32),
    )
    one_hot = [[1, 0], [0, 1], [0, 1]]

    def targets(label_source, **settings):
        return label_targets(split, 2, TrainConfig(label_source=label_source, **settings))

    np.testing.assert_array_equal(targets("folder"), one_hot)
    np.testing.assert_array_equal(targets("votes"), [[0.75, 0.25], [0, 1], [0, 1]])
    np.testing.assert_array_equal(targets("both"), [[0.875, 0.125], [0, 1], [0, 1]])
    mostly_folder = targets("both", folder_share=0.8)
    np.testing.assert_allclose(mostly_folder, [[0.95, 0.05], [0, 1], [0, 1]], atol=1e-6)


def test_votes_that_are_asked_for_and_not_there_are_an_error():
    split = Split(np.zeros((1, 4, 4, 1), np.uint8), np.array([0]), np.zeros(1, bool))
    with pytest.raises(
        UserError, match="label_source: is votes, and no picture of train has votes"
    ):
        label_targets(split, 2, TrainConfig(label_source="votes"))


def test_the_loss_with_teachers_is_the_papers():
    config = TrainConfig(teachers=("a",), teacher_weight=0.25, teacher_temperature=2.0)
    logits = np.array([[2.0, 0.0]])
    answers = np.array([[1.0, 0.0]]) / 2  # the teacher's logits over the temperature
    target = np.concatenate([[[0.0, 1.0]], tf.nn.softmax(answers)], axis=1)
    predicted = tf.nn.softmax(logits)
    found = Distillation(config)(target, predicted).numpy()
    hard = -np.log(predicted[0, 1])
    soft = -np.sum(tf.nn.softmax(answers) * tf.nn.log_softmax(logits / 2))
    assert found == pytest.approx(0.75 * hard + 0.25 * 4 * soft, rel=1e-5)
    # Where nobody teaches, as in validation, only the label counts.
    assert Distillation(config)(target[:, :2], predicted).numpy() == pytest.approx(hard, rel=1e-5)
    assert accuracy(tf.constant(target), predicted).numpy() == [0.0]
    assert accuracy(tf.constant(target[:, ::-1]), predicted).numpy() == [0.0]


def test_teachers_are_asked_for_the_very_picture_that_is_learned():
    split = make_split(8)
    config = TrainConfig(
        batch_size=8, teachers=("a",), teacher_temperature=1.0, flip=True, brightness=0.4
    )
    pixels, targets = next(iter(EpochBatches(split, 3, config, 1, teachers).epoch(0)))
    assert targets.shape == (8, 6)
    np.testing.assert_allclose(targets[:, 3:], teachers(pixels), atol=1e-6)
    np.testing.assert_array_equal(np.sum(targets[:, :3], axis=1), np.ones(8))


def test_optimizer_of_the_method_is_adam():
    optimizer = training.make_optimizer(TrainConfig(), 225)
    assert isinstance(optimizer, tf.keras.optimizers.Adam)
    assert float(optimizer.learning_rate) == pytest.approx(1e-3)
    assert not optimizer.use_ema
    assert optimizer.weight_decay is None


@pytest.mark.parametrize("weight_decay", [0.0, 0.1])
def test_optimizer_steps_as_keras_does(weight_decay):
    config = TrainConfig(weight_decay=weight_decay, averaging_decay=0.9)
    ours = training.make_optimizer(config, 10)
    theirs = tf.keras.optimizers.Adam(1e-3, weight_decay=weight_decay or None)
    weights = [tf.Variable([[1.0, -2.0], [0.0, 1e-3]]) for _ in range(2)]
    for gradient in ([[1.0, 0.5], [0.0, -1e-4]], [[-3.0, 0.5], [1.0, 1e-4]], [[2.0, 0.1]] * 2):
        for optimizer, weight in zip((ours, theirs), weights, strict=True):
            optimizer.apply_gradients([(tf.constant(gradient), weight)])
    np.testing.assert_allclose(*weights, rtol=1e-6, atol=1e-7)


def test_weight_decay_is_decoupled():
    optimizer = training.make_optimizer(TrainConfig(learning_rate=0.5, weight_decay=0.1), 1)
    kernel = tf.Variable([4.0])
    optimizer.build([kernel])
    optimizer.apply_gradients([(tf.zeros([1]), kernel)])
    # Without a gradient Adam moves nothing, and the decay takes its rate times the learning rate.
    assert kernel.numpy() == pytest.approx([4.0 * (1 - 0.5 * 0.1)])


def test_batches_of_an_epoch_hold_every_image_once_in_an_order_of_its_own():
    split = Split(
        pixels=np.arange(10, dtype=np.uint8)[:, None, None, None] * np.ones((1, 4, 4, 1), np.uint8),
        labels=np.arange(10, dtype=np.int64) % 3,
        is_copy=np.zeros(10, bool),
    )

    def order(seed, epoch):
        batches = EpochBatches(split, 3, TrainConfig(batch_size=4), seed)
        assert batches.steps == 3
        pixels = [pixels.numpy() for pixels, _ in batches.epoch(epoch)]
        assert [len(one) for one in pixels] == [4, 4, 2]
        return [round(float(one) * 255) for one in np.concatenate(pixels)[:, 0, 0, 0]]

    assert sorted(order(1, 0)) == list(range(10))
    assert order(1, 0) == order(1, 0)
    assert order(1, 0) != order(1, 1)
    assert order(1, 0) != order(2, 0)


def test_batches_are_mixed_where_that_is_asked_for():
    split = Split(
        pixels=np.zeros((7, 4, 4, 1), np.uint8),
        labels=np.arange(7, dtype=np.int64) % 3,
        is_copy=np.zeros(7, bool),
    )

    def labels(epoch, **settings):
        batches = EpochBatches(split, 3, TrainConfig(batch_size=7, **settings), seed=1)
        return next(iter(batches.epoch(epoch)))[1].numpy()

    mixed = labels(0, mixup=1.0)
    np.testing.assert_array_equal(mixed.argmax(axis=1), labels(0).argmax(axis=1))
    assert mixed.max(axis=1).min() < 0.9
    np.testing.assert_array_equal(labels(0, mixup=1.0), mixed)
    assert (labels(1, mixup=1.0) != mixed).any()


def test_checkpoints_ignore_a_half_written_epoch_and_drop_finished_trainings(tmp_path):
    variable = tf.Module()
    variable.value = tf.Variable(1.0)
    first = Checkpoints(str(tmp_path), "first", 2, False, {"model": variable})
    state = TrainState(history=[{"val_accuracy": 0.5}], best_epoch=0)
    first.save_best(0)
    first.save(state)
    (tmp_path / "first-00002" / "epoch-00002.part").mkdir()
    variable.value.assign(7.0)
    restored = Checkpoints(str(tmp_path), "first", 2, False, {"model": variable}).restore()
    assert variable.value.numpy() == 1.0
    assert restored == TrainState([{"val_accuracy": 0.5}], 0, [1])
    Checkpoints(str(tmp_path), "second", 2, False, {"model": variable})
    assert (tmp_path / "first-00002").exists()
    first.finish()
    Checkpoints(str(tmp_path), "second", 2, False, {"model": variable})
    assert not (tmp_path / "first-00002").exists()


def test_a_longer_training_goes_on_from_a_shorter_one_and_a_shorter_begins_anew(tmp_path):
    def config(epochs):
        return TrainConfig(epochs=epochs, batch_size=8)

    whole_model, whole = run(tmp_path / "whole", config(3))
    _, short = run(tmp_path / "pieces", config(2))
    model, long = run(tmp_path / "pieces", config(3))
    assert (short.resumed_at, long.resumed_at) == ([], [2])
    assert losses(long) == losses(whole)
    for one, other in zip(model.get_weights(), whole_model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    _, again = run(tmp_path / "pieces", config(2))
    assert again.resumed_at == []
    assert losses(again) == losses(whole)[:2]


@pytest.mark.parametrize(
    "changes", [{"schedule": "cosine"}, {"dropout_steps": ((0, 0.0), (0.5, 0.5))}]
)
def test_begins_anew_where_something_changes_at_a_share_of_the_epochs(tmp_path, changes):
    for epochs in (1, 2):
        _, state = run(tmp_path, TrainConfig(epochs=epochs, batch_size=8, **changes))
        assert state.resumed_at == []


def in_a_graph(value):
    return value + 1


def test_no_source_of_keras_is_written_anew(tmp_path):
    # AutoGraph does so once in a process, and keeps each function that it has changed in such a file.
    program = """
import pathlib, sys
from tests.pipeline.test_training import TrainConfig, in_a_graph, run, tf
folder = pathlib.Path(sys.argv[1])
run(folder, TrainConfig(epochs=1, batch_size=8))
tf.function(in_a_graph)(tf.constant(1))
print(*(path.read_text() for path in folder.glob("__autograph_generated_file*")))
"""
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)],
        cwd=REPOSITORY,
        env={**os.environ, "TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    written = re.findall(r"def (tf__\w+)\(", done.stdout)
    assert "tf__in_a_graph" in written, "what is written is found"
    of_keras = {"tf__train_step", "tf__test_step", "tf__compute_loss", "tf__apply_gradients"}
    assert not {*of_keras, "tf__prepare", "tf__augment"} & set(written)
