"""Count groups of equal pictures in a data set, without any of the project's code.

    python benchmarks/count_copies.py FOLDER

FOLDER holds images/train/<class>/ and images/validation/<class>/. Prints the number of groups of
pictures with equal decoded pixels, of those in both splits, and of those in two classes or more.
"""

import collections
import pathlib
import sys

import numpy as np
from PIL import Image


def main(folder: str) -> None:
    groups = collections.defaultdict(list)
    for path in sorted(pathlib.Path(folder).glob("images/*/*/*.jpg")):
        pixels = np.asarray(Image.open(path).convert("L"))
        groups[pixels.shape, pixels.tobytes()].append(path)
    copies = [paths for paths in groups.values() if len(paths) > 1]
    crossing = [paths for paths in copies if len({path.parts[-3] for path in paths}) > 1]
    conflicting = [paths for paths in copies if len({path.parts[-2] for path in paths}) > 1]
    for name, found in (
        ("exact_copies", copies),
        ("cross_split_copies", crossing),
        ("conflicting_labels", conflicting),
    ):
        print(f"{name}: {len(found)} groups, {sum(map(len, found))} images")


if __name__ == "__main__":
    main(sys.argv[1])
