"""The training loop."""

import math
import time

import tensorflow as tf

from emotion_faces.throttle import Throttle
from emotion_pipeline.components.autograph import leave_libraries_as_written
from emotion_pipeline.components.errors import UserError
from emotion_pipeline.components.progress import format_secs, report
from emotion_pipeline.modules.averaging import Adam, averaged_weights, statistics_sample
from emotion_pipeline.modules.checkpoints import Checkpoints, TrainState
from emotion_pipeline.modules.distribution import merge_statistics
from emotion_pipeline.modules.losses import accuracy, make_loss
from emotion_pipeline.modules.model import set_dropout_rate
from emotion_pipeline.modules.teachers import Teachers
from emotion_pipeline.modules.training_data import EpochBatches, Split, eval_batches
from emotion_pipeline.train_config import TrainConfig

leave_libraries_as_written()


def learning_rate(config: TrainConfig, steps_per_epoch: int):
    """Returns the learning rate, or its schedule over all steps of the training."""
    warmup = round(config.warmup_epochs * steps_per_epoch)
    if config.schedule == "constant":
        if not warmup:
            return config.learning_rate
        return tf.keras.optimizers.schedules.PolynomialDecay(
            initial_learning_rate=0.0, decay_steps=warmup, end_learning_rate=config.learning_rate
        )
    return tf.keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=0.0 if warmup else config.learning_rate,
        decay_steps=max(config.epochs * steps_per_epoch - warmup, 1),
        warmup_target=config.learning_rate if warmup else None,
        warmup_steps=warmup,
    )


def make_optimizer(config: TrainConfig, steps_per_epoch: int) -> Adam:
    """Returns Adam, with decoupled weight decay and averaging where they are asked for."""
    return Adam(
        learning_rate=learning_rate(config, steps_per_epoch),
        weight_decay=config.weight_decay or None,
        use_ema=config.averaging_decay > 0,
        ema_momentum=config.averaging_decay or 0.99,
        ema_overwrite_frequency=None,
    )


def dropout_rate(config: TrainConfig, epoch: int) -> float:
    """Returns the dropout rate of an epoch, counted from 0.

    `((0, 0.0), (0.5, 0.25))` over 4 epochs is 0 in epochs 0 and 1, and 0.25 in 2 and 3.
    """
    # 0.55 of 100 epochs is 55.00000000000001.
    done = [(round(share * config.epochs, 6), rate) for share, rate in config.dropout_steps]
    return [rate for begin, rate in done if begin <= epoch][-1]


class _Progress(tf.keras.callbacks.Callback):
    """Reports within a long epoch, and stops at a loss that is not a number."""

    def __init__(self, epoch: int, epochs: int, steps: int, batch_size: int):
        super().__init__()
        self._label = f"epoch {epoch + 1}/{epochs}"
        self._steps = steps
        self._batch_size = batch_size
        self._throttle = Throttle()
        self._start = time.monotonic()

    def on_train_batch_end(self, batch, logs=None):
        if not math.isfinite(logs["loss"]):
            raise UserError(
                f"{self._label}: the loss became {logs['loss']} at step {batch + 1}. Lower "
                "train.learning_rate, or set train.precision=float32."
            )
        if self._throttle.ready():
            seconds = time.monotonic() - self._start
            speed = (batch + 1) * self._batch_size / seconds
            left = seconds / (batch + 1) * (self._steps - batch - 1)
            report(
                f"{self._label}, step {batch + 1}/{self._steps}: loss {logs['loss']:.4f}, "
                f"{speed:.0f} images/s, {format_secs(left)} left in this epoch"
            )


def train(
    model: tf.keras.Model,
    train_split: Split,
    eval_split: Split,
    config: TrainConfig,
    seed: int,
    checkpoints_dir: str,
    key: str,
    log_dir: str,
    teachers: Teachers | None = None,
) -> TrainState:
    """Trains the model and leaves it with the weights of its best epoch.

    Args:
      model: Uncompiled; its outputs are probabilities. It trains on the devices of the strategy
        that it was built under.
      train_split: What it learns from.
      eval_split: What the best epoch is chosen on.
      config: How.
      seed: Seeds the order of the images and the augmentation.
      checkpoints_dir: Folder of checkpoints, where a training that was cut off is found again.
      key: Names this training among the checkpoints, whatever its number of epochs.
      log_dir: Folder of TensorBoard's logs.
      teachers: Whose answers it learns too; the config says how much they count.

    Returns:
      The state after the last epoch.

    Raises:
      UserError: The loss became NaN or infinite.
    """
    num_classes = model.output_shape[-1]
    batches = EpochBatches(train_split, num_classes, config, seed, teachers)
    with model.distribute_strategy.scope():
        optimizer = make_optimizer(config, batches.steps)
        model.compile(optimizer, make_loss(config), metrics=[accuracy])
        optimizer.build(model.trainable_variables)
    tracked = {"model": model, "optimizer": optimizer}
    checkpoints = Checkpoints(checkpoints_dir, key, config.epochs, config.is_open_ended, tracked)
    state = checkpoints.restore()
    if state.history:
        report(f"going on after epoch {len(state.history)} of {config.epochs}")
    validation = eval_batches(eval_split, num_classes, config)
    sample = statistics_sample(train_split, config, seed)
    writer = tf.summary.create_file_writer(log_dir)
    for epoch in range(len(state.history), config.epochs):
        if _should_stop(state, config):
            report(
                f"no better validation {config.best_epoch_by} for "
                f"{config.early_stopping_patience} epochs"
            )
            break
        if set_dropout_rate(model, dropout_rate(config, epoch)):
            # The rate is a constant of the traced function.
            model.make_train_function(force=True)
        start = time.monotonic()
        fitted = model.fit(
            batches.epoch(epoch),
            verbose=0,
            callbacks=[_Progress(epoch, config.epochs, batches.steps, config.batch_size)],
        ).history
        train_secs = time.monotonic() - start
        merge_statistics(model)
        with averaged_weights(model, sample):
            val_loss, val_accuracy = model.evaluate(validation, verbose=0)
            row = {
                "loss": fitted["loss"][0],
                "accuracy": fitted["accuracy"][0],
                "val_loss": val_loss,
                "val_accuracy": val_accuracy,
                "images_per_sec": len(train_split) / train_secs,
                "seconds": time.monotonic() - start,
            }
            if _is_best(row, state, config):
                checkpoints.save_best(epoch)
                state.best_epoch = epoch
        state.history.append(row)
        checkpoints.save(state)
        _write_scalars(writer, row, epoch)
        _report_epoch(state, config.epochs)
    checkpoints.restore_best(state)
    checkpoints.finish()
    return state


def _should_stop(state: TrainState, config: TrainConfig) -> bool:
    waited = len(state.history) - 1 - state.best_epoch
    return bool(config.early_stopping_patience) and waited >= config.early_stopping_patience


def _is_best(row: dict[str, float], state: TrainState, config: TrainConfig) -> bool:
    if state.best_epoch < 0:
        return True
    best = state.history[state.best_epoch]
    if config.best_epoch_by == "loss":
        return row["val_loss"] < best["val_loss"]
    return row["val_accuracy"] > best["val_accuracy"]


def _write_scalars(writer: tf.summary.SummaryWriter, row: dict[str, float], epoch: int) -> None:
    with writer.as_default(step=epoch + 1):
        for name, value in row.items():
            tf.summary.scalar(name, value)
    writer.flush()


def _report_epoch(state: TrainState, epochs: int) -> None:
    row = state.history[-1]
    done = len(state.history)
    left = row["seconds"] * (epochs - done)
    report(
        f"epoch {done}/{epochs}: loss {row['loss']:.4f}, accuracy {row['accuracy']:.4f}, "
        f"validation accuracy {row['val_accuracy']:.4f}, {row['images_per_sec']:.0f} images/s, "
        f"{format_secs(left)} left"
    )
