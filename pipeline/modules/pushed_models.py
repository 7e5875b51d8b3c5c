"""Pushed models that a training learns from: where they are, and whether they fit."""

import hashlib
import os
from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from emotion_faces.model_folder import version_number
from emotion_pipeline.components.errors import UserError

ASSETS_EXTRA_DIR = "assets.extra"
LABELS_FILE = "labels.txt"
KIND_FILE = "network.json"
"""What travels beside a SavedModel: its class names, and which network it is."""

VARIABLES = os.path.join("variables", "variables")
TEACHERS = "train.teachers"
WARM_START = "train.warm_start"
"""The settings that name models."""

_GRAPH_FILE = "saved_model.pb"


def find_model(folder: str, setting: str) -> str:
    """Returns the newest version below a folder of pushed models, or the folder if it is a version.

    Args:
      folder: What the setting names.
      setting: Its name, for the error.

    Raises:
      UserError: There is no SavedModel.
    """
    if tf.io.gfile.exists(os.path.join(folder, _GRAPH_FILE)):
        return folder
    names = tf.io.gfile.listdir(folder) if tf.io.gfile.isdir(folder) else []
    numbers = [(version_number(name.rstrip("/")), name) for name in names]
    versions = [(version, name) for version, name in numbers if version is not None]
    for _, name in sorted(versions, reverse=True):
        path = os.path.join(folder, name.rstrip("/"))
        if tf.io.gfile.exists(os.path.join(path, _GRAPH_FILE)):
            return path
    raise UserError(
        f"{setting}: {folder} has no SavedModel; name a folder of pushed versions, such as "
        "ROOT/pushed/emotion"
    )


def class_names_of(model_dir: str, setting: str, class_names: Sequence[str]) -> list[str]:
    """Returns the class names of a model in the order of its outputs.

    Raises:
      UserError: It does not say them, or they are not `class_names`, whatever the order.
    """
    path = os.path.join(model_dir, ASSETS_EXTRA_DIR, LABELS_FILE)
    if not tf.io.gfile.exists(path):
        raise UserError(
            f"{setting}: {model_dir} does not name its classes ({ASSETS_EXTRA_DIR}/{LABELS_FILE})"
        )
    with tf.io.gfile.GFile(path) as file:
        names = file.read().splitlines()
    if sorted(names) != sorted(class_names):
        raise UserError(
            f"{setting}: {model_dir} answers with the classes {', '.join(names)}; this run has "
            f"{', '.join(class_names)}"
        )
    return names


def learned_from(train: dict[str, Any], class_names: Sequence[str]) -> dict[str, str]:
    """Returns fingerprints of the models that a training learns from, by setting; for its keys.

    Args:
      train: A TrainConfig as a dict.
      class_names: Of the network that is trained.

    Raises:
      UserError: A model is not there, or has other classes.
    """
    folders = {
        TEACHERS: train["teachers"],
        WARM_START: [train["warm_start"]] if train["warm_start"] else [],
    }
    return {
        setting: _fingerprint(models, setting, class_names)
        for setting, models in folders.items()
        if models
    }


def _fingerprint(folders: Sequence[str], setting: str, class_names: Sequence[str]) -> str:
    """Hashes the content of models to 16 hex digits."""
    digest = hashlib.sha256()
    for folder in folders:
        model_dir = find_model(folder, setting)
        class_names_of(model_dir, setting, class_names)
        variables = sorted(tf.io.gfile.glob(os.path.join(model_dir, "variables", "*")))
        for path in [os.path.join(model_dir, _GRAPH_FILE), *variables]:
            with tf.io.gfile.GFile(path, "rb") as file:
                digest.update(hashlib.sha256(file.read()).digest())
    return digest.hexdigest()[:16]
