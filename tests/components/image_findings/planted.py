"""A corpus of drawn faces with every fault planted in known numbers."""

import dataclasses
import pathlib

import cv2
import numpy as np

from emotion_pipeline.components.sources import sample_data
from tests.components.pictures import encode


@dataclasses.dataclass(frozen=True)
class Planted:
    """What a corpus holds: found by kind -> (groups, files), and pruned at ingestion by reason."""

    findings: dict[str, tuple[int, int]]
    causes: dict[str, int]
    pruned: dict[str, int]


EXACT_IN_CLASS = 4
EXACT_ACROSS_SPLITS = 5
EXACT_ACROSS_CLASSES = 3
NEAR_IN_CLASS = 6
NEAR_ACROSS_SPLITS = 4
NEAR_ACROSS_CLASSES = 2
UNINFORMATIVE = {"constant": 5}
DARK, BRIGHT, TWO_TONE = 3, 4, 5
UNUSABLE = {"empty_file": 2, "truncated": 3, "not_an_image": 1}


def plant(folder: pathlib.Path, seed: int = 0) -> Planted:
    """Draw faces into `folder`, plant the faults, and return what must be found.

    Each fault starts from a face of its own, so that the groups are apart.
    """
    sample_data.draw_sample(folder, images=400, seed=seed)
    rng = np.random.default_rng([seed, 1])
    happy, sad, validation = (
        folder / "images" / place for place in ("train/happy", "train/sad", "validation/happy")
    )
    faces = iter(sorted(happy.iterdir()))

    for number in range(EXACT_IN_CLASS):
        face = next(faces)
        if number == 0:
            # The same pixels in other bytes.
            data = encode(_pixels(face), ".png")
            (happy / f"copy {number}.png").write_bytes(data)
        else:
            (happy / f"copy {number}.jpg").write_bytes(face.read_bytes())
    for number in range(EXACT_ACROSS_SPLITS):
        (validation / f"leak {number}.jpg").write_bytes(next(faces).read_bytes())
    for number in range(EXACT_ACROSS_CLASSES):
        (sad / f"conflict {number}.jpg").write_bytes(next(faces).read_bytes())

    for number in range(NEAR_IN_CLASS):
        (happy / f"near {number}.jpg").write_bytes(_alter(next(faces), number))
    for number in range(NEAR_ACROSS_SPLITS):
        (validation / f"near leak {number}.jpg").write_bytes(_alter(next(faces), number))
    for number in range(NEAR_ACROSS_CLASSES):
        (sad / f"near conflict {number}.jpg").write_bytes(_alter(next(faces), number))

    for number in range(UNINFORMATIVE["constant"]):
        (sad / f"constant {number}.png").write_bytes(encode(_one_gray(number, rng), ".png"))
    # Nothing is wrong with these.
    for number in range(DARK):
        dark = rng.integers(0, 40, (48, 48), dtype=np.uint8)
        (sad / f"dark {number}.png").write_bytes(encode(dark, ".png"))
    for number in range(BRIGHT):
        bright = rng.integers(215, 256, (48, 48), dtype=np.uint8)
        (sad / f"bright {number}.png").write_bytes(encode(bright, ".png"))
    for number in range(TWO_TONE):
        blocks = rng.permutation(np.repeat([0, 255], 32)).astype(np.uint8).reshape(8, 8)
        drawing = np.kron(blocks, np.ones((6, 6), np.uint8))
        (sad / f"two tones {number}.png").write_bytes(encode(drawing, ".png"))
    for reason, count in UNUSABLE.items():
        whole = encode(rng.integers(0, 256, (48, 48), dtype=np.uint8))
        data = {"empty_file": b"", "truncated": whole[:-40], "not_an_image": b"words"}[reason]
        for number in range(count):
            (sad / f"{reason} {number}.jpg").write_bytes(data)

    exact = EXACT_IN_CLASS + EXACT_ACROSS_SPLITS + EXACT_ACROSS_CLASSES
    near = NEAR_IN_CLASS + NEAR_ACROSS_SPLITS + NEAR_ACROSS_CLASSES
    pairs = {
        "cross_split_copies": EXACT_ACROSS_SPLITS,
        "cross_split_near_copies": NEAR_ACROSS_SPLITS,
        "conflicting_labels": EXACT_ACROSS_CLASSES,
        "conflicting_near_labels": NEAR_ACROSS_CLASSES,
        "exact_copies": exact,
        "near_copies": near,
    }
    findings = {kind: (count, 2 * count) for kind, count in pairs.items()}
    findings["uninformative"] = (len(UNINFORMATIVE), sum(UNINFORMATIVE.values()))
    return Planted(findings, dict(UNINFORMATIVE), {**UNUSABLE, "redundant_tree": 400})


def _pixels(file: pathlib.Path) -> np.ndarray:
    return cv2.imdecode(np.frombuffer(file.read_bytes(), np.uint8), cv2.IMREAD_GRAYSCALE)


def _alter(file: pathlib.Path, number: int) -> bytes:
    """Returns the picture brightened, coarsely coded, or blurred, in turn."""
    pixels = _pixels(file)
    if number % 3 == 0:
        return encode(cv2.convertScaleAbs(pixels, alpha=0.85, beta=20))
    if number % 3 == 1:
        return cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, 55])[1].tobytes()
    return encode(cv2.GaussianBlur(pixels, (0, 0), 0.8))


def _one_gray(number: int, rng: np.random.Generator) -> np.ndarray:
    """Returns a picture without detail, uint8 [48, 48]: of one gray, or in part of the next one."""
    pixels = np.full((48, 48), 63 * number, np.uint8)
    if number % 2:
        pixels += rng.integers(0, 2, (48, 48), dtype=np.uint8)
    return pixels
