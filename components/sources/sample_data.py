"""Draws a data set of simple faces, for trying the pipeline without any real one.

It shows the pipeline at work; accuracy on it says nothing about accuracy on people.
"""

import contextlib
import dataclasses
import pathlib
import shutil
from collections.abc import Iterable, Mapping

import cv2
import numpy as np

from emotion_pipeline.components.constants import IMAGE_SIZE_PX, LABELS
from emotion_pipeline.components.errors import UsageError, UserError

DEFAULT_IMAGES = 1100

_EVAL_SHARE = 2 / 11
_CLASS_SHARES = {
    "angry": 0.139,
    "disgust": 0.015,
    "fear": 0.143,
    "happy": 0.251,
    "neutral": 0.173,
    "sad": 0.168,
    "surprise": 0.110,
}
"""Shares of the classes in FER2013's train split."""

_CANVAS_PX = 4 * IMAGE_SIZE_PX
_JPEG_QUALITY = 92
_PART = ".images.part"
_MIN_PER_CLASS = 1


@dataclasses.dataclass(frozen=True)
class _Expression:
    """How a face's parts lie; lengths in face radii, positive is down.

    brow_height: of the brow above the eye. brow_slant: inner end below the outer end. eye_open:
    half height of the eye. mouth_curve: depth of the mouth's middle below its corners. mouth_open:
    half height of the open mouth. mouth_width: half width. wrinkles: lines beside the nose, the lip
    raised.
    """

    brow_height: float
    brow_slant: float
    eye_open: float
    mouth_curve: float
    mouth_open: float
    mouth_width: float
    wrinkles: bool = False


_EXPRESSIONS = {
    "angry": _Expression(0.17, 0.26, 0.07, -0.06, 0.05, 0.34),
    "disgust": _Expression(0.20, 0.10, 0.04, -0.16, 0.08, 0.24, wrinkles=True),
    "fear": _Expression(0.36, -0.20, 0.19, -0.08, 0.13, 0.42),
    "happy": _Expression(0.29, 0.00, 0.09, 0.32, 0.07, 0.46),
    "neutral": _Expression(0.27, 0.00, 0.11, 0.00, 0.02, 0.30),
    "sad": _Expression(0.29, -0.24, 0.06, -0.28, 0.03, 0.34),
    "surprise": _Expression(0.44, 0.00, 0.21, 0.00, 0.27, 0.20),
}


def draw_sample(folder: pathlib.Path, images: int = DEFAULT_IMAGES, seed: int = 0) -> None:
    """Writes the data set into `folder` as the Kaggle archive is laid out.

    images/train/<class>/, images/validation/<class>/, and both a second time under images/images/;
    48 x 48 gray JPEG. The same number and seed give the same bytes; no two pictures are alike. It is drawn aside
    and renamed, since a part of it would pass for a data set; what was begun is removed, at the latest by the next
    call.

    Args:
      folder: Made if need be; must be empty.
      images: How many pictures of both splits together, the second tree not counted.
      seed: Non-negative.

    Raises:
      UserError: `folder` holds something.
      UsageError: `seed` is out of its range, or `images` is too small for every class in both splits.
      OSError: A picture cannot be written.
    """
    if folder.exists() and (
        not folder.is_dir() or {one.name for one in folder.iterdir()} - {_PART}
    ):
        raise UserError(f"{folder}: not an empty folder. Give the name of a new one.")
    if not 0 <= seed < 2**32:
        raise UsageError(f"seed={seed}: must be from 0 to {2**32 - 1}.")
    fewest = 2 * _MIN_PER_CLASS * len(LABELS)
    if images < fewest:
        raise UsageError(
            f"images={images}: too few, {len(LABELS)} classes in two splits need {fewest} or more."
        )
    evaluation = max(round(images * _EVAL_SHARE), _MIN_PER_CLASS * len(LABELS))
    splits = {"train": images - evaluation, "validation": evaluation}
    is_new = not folder.exists()
    part = folder / _PART
    shutil.rmtree(part, ignore_errors=True)
    try:
        _draw(part, splits, seed)
        part.rename(folder / "images")
    except BaseException as error:
        shutil.rmtree(part, ignore_errors=True)
        if is_new:
            with contextlib.suppress(OSError):
                folder.rmdir()
        if isinstance(error, OSError) and error.errno:
            # The picture lay where its reader never looks.
            raise OSError(error.errno, error.strerror, str(folder / "images")) from error
        raise


def _draw(images: pathlib.Path, splits: Mapping[str, int], seed: int) -> None:
    for split_index, (split, total) in enumerate(splits.items()):
        for label_index, (label, count) in enumerate(class_counts(total).items()):
            folders = [images / split / label, images / "images" / split / label]
            for target in folders:
                target.mkdir(parents=True)
            for index in range(count):
                rng = np.random.default_rng([seed, split_index, label_index, index])
                data = _encode(draw_face(label, rng))
                for target in folders:
                    _write(target / f"{index:05d}.jpg", data)


def _write(path: pathlib.Path, data: bytes) -> None:
    try:
        path.write_bytes(data)
    except OSError as error:  # that of a full disk names no file
        raise OSError(error.errno, error.strerror, str(path)) from error


def class_counts(total: int) -> dict[str, int]:
    """Returns how many pictures of each class make up `total`, as unequal as in FER2013."""
    spare = total - _MIN_PER_CLASS * len(LABELS)
    exact = {label: spare * _CLASS_SHARES[label] / sum(_CLASS_SHARES.values()) for label in LABELS}
    counts = {label: _MIN_PER_CLASS + int(exact[label]) for label in LABELS}
    by_remainder = sorted(LABELS, key=lambda label: int(exact[label]) - exact[label])
    for label in by_remainder[: total - sum(counts.values())]:
        counts[label] += 1
    return counts


def draw_face(label: str, rng: np.random.Generator) -> np.ndarray:
    """Returns a face with the expression `label`, uint8 [48, 48], varied by `rng`."""
    canvas = _background(rng)
    skin = int(rng.integers(135, 230))
    dark = int(skin * rng.uniform(0.1, 0.3))
    face = _Face(
        canvas=canvas,
        centre=_CANVAS_PX * (0.5 + rng.uniform(-0.04, 0.04, size=2)),
        radius=_CANVAS_PX * rng.uniform(0.41, 0.48),
        tilt=np.deg2rad(rng.uniform(-8, 8)),
        stretch=rng.uniform(1.05, 1.3),
    )
    hair = int(rng.integers(10, 110))
    face.ellipse(0, -0.12, 1.05, rng.uniform(1.0, 1.12), hair)
    face.ellipse(0, 0, 0.92, 0.95, skin)
    fringe = rng.uniform(0.15, 0.4)
    face.ellipse(rng.uniform(-0.3, 0.3), -0.95, 0.8, fringe, hair)
    _draw_features(face, _EXPRESSIONS[label], skin, dark, rng)
    return _photograph(canvas, rng)


class _Face:
    """Draws in face coordinates: x right and y down from the face's centre, in face radii."""

    def __init__(
        self, canvas: np.ndarray, centre: np.ndarray, radius: float, tilt: float, stretch: float
    ):
        self._canvas = canvas
        self._centre = centre
        self._tilt = tilt
        turn = np.array([[np.cos(tilt), -np.sin(tilt)], [np.sin(tilt), np.cos(tilt)]])
        self._matrix = radius * turn @ np.diag([1 / stretch, 1.0])
        self._radius = radius
        self._stretch = stretch

    def _pixel(self, x: float, y: float) -> tuple[int, int]:
        px, py = self._matrix @ (x, y) + self._centre
        return round(float(px)), round(float(py))

    def ellipse(self, x: float, y: float, half_width: float, half_height: float, gray: int) -> None:
        axes = (
            max(1, round(self._radius * half_width / self._stretch)),
            max(1, round(self._radius * half_height)),
        )
        angle = float(np.rad2deg(self._tilt))
        cv2.ellipse(self._canvas, self._pixel(x, y), axes, angle, 0, 360, (gray,), cv2.FILLED)

    def stroke(self, xs: Iterable[float], ys: Iterable[float], width: float, gray: int) -> None:
        pixels = np.array([self._pixel(x, y) for x, y in zip(xs, ys, strict=True)])
        thickness = max(2, round(self._radius * width))
        cv2.polylines(self._canvas, [pixels], False, (gray,), thickness, cv2.LINE_AA)


def _draw_features(
    face: _Face, expression: _Expression, skin: int, dark: int, rng: np.random.Generator
) -> None:
    def vary(value: float, by: float = 0.015) -> float:
        return value + rng.normal(0, by)

    eye_x, eye_y = vary(0.38), vary(-0.18)
    eye_open = max(0.03, vary(expression.eye_open, 0.01))
    white = min(255, skin + 40)
    gaze = rng.uniform(-0.05, 0.05)
    for side in (-1, 1):
        face.ellipse(side * eye_x, eye_y, 0.19, eye_open, white)
        face.ellipse(side * eye_x + gaze, eye_y, 0.09, min(0.1, eye_open), dark)
        brow_y = eye_y - vary(expression.brow_height)
        slant = vary(expression.brow_slant) / 2
        outer, inner = side * (eye_x + 0.2), side * (eye_x - 0.2)
        face.stroke(
            (outer, side * eye_x, inner),
            (brow_y - slant, brow_y - 0.02, brow_y + slant),
            rng.uniform(0.09, 0.13),
            dark,
        )
    shade = int(skin * 0.7)
    nose = vary(0.14, 0.03)
    face.stroke((0, vary(0.07), -0.03), (-0.05, nose, nose + 0.03), 0.05, shade)
    if expression.wrinkles:
        for side in (-1, 1):
            face.stroke((side * 0.06, side * 0.16), (-0.12, -0.02), 0.05, dark)
            face.stroke((side * 0.16, side * 0.42), (0.12, 0.45), 0.05, dark)
    _draw_mouth(face, expression, dark, rng)


def _draw_mouth(face: _Face, expression: _Expression, dark: int, rng: np.random.Generator) -> None:
    width = expression.mouth_width * rng.uniform(0.9, 1.1)
    curve = expression.mouth_curve + rng.normal(0, 0.015)
    opening = max(0.015, expression.mouth_open + rng.normal(0, 0.008))
    middle = rng.normal(0.5, 0.02)
    across = np.linspace(-1, 1, 15)
    arch = 1 - across**2
    # The upper lip is raised in the middle where the nose is wrinkled.
    lift = 0.5 if expression.wrinkles else 1.0
    upper = middle - curve / 2 + (curve - lift * opening) * arch
    lower = middle - curve / 2 + (curve + opening) * arch
    for part in np.linspace(0, 1, 7):
        face.stroke(width * across, upper + part * (lower - upper), 0.06, dark)


def _background(rng: np.random.Generator) -> np.ndarray:
    """Returns a canvas of smooth random light and dark, uint8."""
    coarse = rng.uniform(20, 235, size=(5, 5)).astype(np.float32)
    size = (_CANVAS_PX, _CANVAS_PX)
    return cv2.resize(coarse, size, interpolation=cv2.INTER_CUBIC).clip(0, 255).astype(np.uint8)


def _photograph(canvas: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Returns the canvas lit from a side, shrunk and grainy, uint8 [48, 48]."""
    size = (IMAGE_SIZE_PX, IMAGE_SIZE_PX)
    small = cv2.resize(canvas, size, interpolation=cv2.INTER_AREA).astype(np.float32)
    across = np.linspace(-1, 1, IMAGE_SIZE_PX)
    slope_x, slope_y = rng.uniform(-0.35, 0.35, size=2)
    light = rng.uniform(0.75, 1.1) * (1 + slope_x * across + slope_y * across[:, None])
    grain = rng.normal(0, rng.uniform(2, 7), size=small.shape)
    return (small * light + grain).clip(0, 255).round().astype(np.uint8)


def _encode(gray: np.ndarray) -> bytes:
    _, data = cv2.imencode(".jpg", gray, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
    return data.tobytes()
