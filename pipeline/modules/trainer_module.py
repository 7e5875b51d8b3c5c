"""What Trainer runs: load, train, measure, export."""

import dataclasses
import hashlib
import json
import os
import time
from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_transform as tft
from tfx.components.trainer.fn_args_utils import FnArgs

from emotion_pipeline.components.calibration import tempered
from emotion_pipeline.components.locks import alone_with
from emotion_pipeline.components.progress import report
from emotion_pipeline.components.records.training_record import write_training
from emotion_pipeline.components.scores import macro_f1
from emotion_pipeline.modules.calibration import calibrate, hold_out
from emotion_pipeline.modules.distribution import choose_strategy
from emotion_pipeline.modules.export import export
from emotion_pipeline.modules.networks import build_network
from emotion_pipeline.modules.onnx_file import write_int8
from emotion_pipeline.modules.precision import choose_policy
from emotion_pipeline.modules.prior import correct_prior
from emotion_pipeline.modules.pushed_models import ASSETS_EXTRA_DIR, learned_from
from emotion_pipeline.modules.teachers import Teachers
from emotion_pipeline.modules.training import train
from emotion_pipeline.modules.training_data import Split, load_split, network_input
from emotion_pipeline.modules.warm_start import start_from
from emotion_pipeline.settings import with_overrides
from emotion_pipeline.train_config import TrainConfig

_BATCH = 256

_NOT_OF_THE_TRAINING = frozenset({"epochs", "prior_correction", "int8"})
"""Settings that a finished training's checkpoints do not depend on, or have apart: the epochs."""


def run_fn(fn_args: FnArgs) -> None:
    """Trains the network and writes the served model.

    Args:
      fn_args: TFX's arguments. `custom_config` holds `labels` (class names in index order), `train`
        (a TrainConfig as a dict), `seed`, `group_by` and `checkpoints_dir`.

    The folder of the model run gets TensorBoard's logs and `training.json`: history, best epoch,
    precision, and accuracy, loss and macro F1 of the finished model on both splits as it is served:
    without dropout, over mirror images where the served answer is, and with its temperature; for train
    without the copies and without what was kept out of it.
    """
    custom = fn_args.custom_config
    config = with_overrides(TrainConfig(), custom["train"])
    class_names = list(custom["labels"])
    seed = custom["seed"]
    tf.keras.utils.set_random_seed(seed)
    tf.config.experimental.enable_op_determinism()
    transform_output = tft.TFTransformOutput(fn_args.transform_graph_path)
    start = time.monotonic()
    train_split = load_split(fn_args.train_files, transform_output)
    eval_split = load_split(fn_args.eval_files, transform_output)
    report(
        f"{len(train_split)} train and {len(eval_split)} eval images in memory after "
        f"{time.monotonic() - start:.1f} s"
    )
    train_split, held_out, note = hold_out(
        train_split, config.calibration_share, seed, custom["group_by"]
    )
    policy, reason = choose_policy(config.precision)
    report(f"computing in {policy}: {reason}")
    model, strategy = _build(config, class_names, seed, policy)
    key = _training_key(custom, policy, strategy, train_split, eval_split)
    # Runs that share a root may come to the same training, with one folder of checkpoints.
    with alone_with(custom["checkpoints_dir"], key):
        state = train(
            model,
            train_split,
            eval_split,
            config,
            seed,
            checkpoints_dir=custom["checkpoints_dir"],
            key=key,
            log_dir=fn_args.model_run_dir,
            teachers=Teachers(config.teachers, class_names) if config.teachers else None,
        )
    originals = train_split.originals()
    told = _finish(model, config, class_names, originals, eval_split, held_out, note)
    summary = {
        "precision": policy,
        "epochs": len(state.history),
        **told,
        **dataclasses.asdict(state),
    }
    export(
        model,
        class_names,
        transform_output,
        fn_args.serving_model_dir,
        config,
        metrics={**told["eval"], "calibration": told["calibration"]},
        sample_pixels=eval_split.pixels[:1],
        temperature=told["calibration"]["temperature"],
    )
    if config.int8:
        extra_dir = os.path.join(fn_args.serving_model_dir, ASSETS_EXTRA_DIR)
        summary["int8"] = write_int8(
            extra_dir, originals.pixels, eval_split.pixels, eval_split.labels
        )
    write_training(fn_args.model_run_dir, summary)


def _build(
    config: TrainConfig, class_names: list[str], seed: int, policy: str
) -> tuple[tf.keras.Model, tf.distribute.Strategy]:
    """Returns the network that the training begins with, and how it is spread over devices."""
    strategy = choose_strategy(config.distribution)
    if strategy.num_replicas_in_sync > 1:
        report(f"training on {strategy.num_replicas_in_sync} devices")
    with strategy.scope():
        model = build_network(
            config.network,
            num_classes=len(class_names),
            batch_norm_momentum=config.batch_norm_momentum,
            seed=seed,
            dtype_policy=policy,
        )
        if config.warm_start:
            start_from(model, config.warm_start, config.network, class_names)
            report(f"starting with the weights of {config.warm_start}")
    return model, strategy


def _finish(
    model: tf.keras.Model,
    config: TrainConfig,
    class_names: list[str],
    originals: Split,
    eval_split: Split,
    held_out: Split,
    note: str,
) -> dict[str, Any]:
    """Corrects the trained network for the classes' shares, calibrates it, and measures it as it is served.

    Args:
      model: The trained network; a correction changes its last layer.
      config: The settings.
      class_names: Of the outputs, in their order.
      originals: Train without copies.
      eval_split: Eval.
      held_out: What was kept out of train for the calibration; may be empty.
      note: Which pictures calibrate it, or why none do.

    Returns:
      `train` and `eval`, each accuracy, loss and macro F1; `calibration`; and `prior_correction`, where one was
      asked for.
    """
    corrected = {}
    if config.prior_correction:
        learned = predict(model, originals.pixels, config)
        corrected["prior_correction"] = correct_prior(
            model, learned, originals.labels, config.prior_correction, class_names
        )
    answers = predict(model, eval_split.pixels, config)
    calibration = calibrate(
        (predict(model, held_out.pixels, config), held_out.labels),
        (answers, eval_split.labels),
        note,
    )
    temperature = calibration.temperature
    trained = predict(model, originals.pixels, config)
    return {
        "train": measure(tempered(trained, temperature), originals.labels),
        "eval": measure(tempered(answers, temperature), eval_split.labels),
        "calibration": dataclasses.asdict(calibration),
        **corrected,
    }


def measure(probabilities: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    """Returns accuracy, loss and macro F1 of `[N, C]` probabilities, of which `[N]` labels are right."""
    confusion = count_confusion(labels, probabilities)
    of_label = probabilities[np.arange(len(labels)), labels]
    total_loss = -float(np.log(np.clip(of_label, 1e-7, 1.0)).sum(dtype=np.float64))
    return {
        "accuracy": float(np.trace(confusion) / len(labels)),
        "loss": total_loss / len(labels),
        "macro_f1": macro_f1({(i, j): float(n) for (i, j), n in np.ndenumerate(confusion)}),
    }


def predict(model: tf.keras.Model, pixels: np.ndarray, config: TrainConfig) -> np.ndarray:
    """Returns the `[N, C]` float32 probabilities of `[N, 48, 48, 1]` uint8 pixels, in inference mode.

    They are what the served model answers but for its temperature: of normalised pictures, and over an
    image and its mirror image, where the config says so.
    """
    if not len(pixels):
        return np.zeros((0, model.output_shape[-1]), np.float32)

    def answer(batch: np.ndarray) -> np.ndarray:
        return model(network_input(batch, config), training=False).numpy()

    answers = []
    for first in range(0, len(pixels), _BATCH):
        batch = pixels[first : first + _BATCH]
        one = answer(batch)
        answers.append((one + answer(batch[:, :, ::-1])) / 2 if config.flip_at_serving else one)
    return np.concatenate(answers)


def count_confusion(labels: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """Returns `[C, C]` int64 counts by `[actual, predicted]` of `[N]` labels and `[N, C]` probabilities."""
    num_classes = probabilities.shape[1]
    confusion = np.zeros((num_classes, num_classes), np.int64)
    np.add.at(confusion, (labels, probabilities.argmax(axis=1)), 1)
    return confusion


def _training_key(
    custom: dict, policy: str, strategy: tf.distribute.Strategy, *splits: Split
) -> str:
    """Hashes all that decides what is learned but the number of epochs, which the checkpoints have apart."""
    deciding = {name: custom[name] for name in ("labels", "seed", "code_fingerprint")}
    deciding["train"] = {
        name: value for name, value in custom["train"].items() if name not in _NOT_OF_THE_TRAINING
    }
    deciding["data"] = [split.fingerprint() for split in splits]
    deciding["policy"] = policy
    deciding["learned_from"] = learned_from(custom["train"], custom["labels"])
    deciding["replicas"] = strategy.num_replicas_in_sync
    return hashlib.sha256(json.dumps(deciding, sort_keys=True).encode()).hexdigest()[:16]
