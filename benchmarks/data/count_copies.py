"""Count groups of equal pictures in a data set, without any of the project's code.

    python -m benchmarks.data.count_copies FOLDER

FOLDER holds images/train/<class>/ and images/validation/<class>/. Prints the number of groups of
pictures with equal decoded pixels, of those in both splits, and of those in two classes or more.
"""

import argparse
import collections
import pathlib

import numpy as np
from PIL import Image


def count_copies(folder: str) -> dict[str, tuple[int, int]]:
    """Returns the number of groups and of their images by kind."""
    groups = collections.defaultdict(list)
    for path in pathlib.Path(folder).glob("images/*/*/*.jpg"):
        pixels = np.asarray(Image.open(path).convert("L"))
        groups[pixels.shape, pixels.tobytes()].append(path)
    copies = [paths for paths in groups.values() if len(paths) > 1]
    found = {
        "exact_copies": copies,
        "cross_split_copies": [g for g in copies if len({path.parts[-3] for path in g}) > 1],
        "conflicting_labels": [g for g in copies if len({path.parts[-2] for path in g}) > 1],
    }
    return {kind: (len(groups), sum(map(len, groups))) for kind, groups in found.items()}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=pathlib.Path)
    folder = parser.parse_args().folder
    if not any(folder.glob("images/*/*/*.jpg")):
        parser.error(f"{folder}: no images/<split>/<class>/*.jpg in it")
    for kind, (groups, images) in count_copies(folder).items():
        print(f"{kind}: {groups} groups, {images} images")


if __name__ == "__main__":
    main()
