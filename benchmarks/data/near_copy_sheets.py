"""Draw pairs of near copies as contact sheets, to be looked at by a person.

    python -m benchmarks.data.near_copy_sheets FOLDER OUT_DIR [--pairs 100] [--seed 0]

Two samples of pairs, each drawn at random with the seed: `cross_split`, a train picture that the
default policy drops beside the eval picture it is most like, and `any`, two pictures of one group of
near copies that are most like each other. Writes OUT_DIR/<sample>-<n>.png, 25 numbered pairs each,
and the pairs' paths and correlations to OUT_DIR/<sample>.csv.
"""

import argparse
import functools
import pathlib

import cv2
import numpy as np
import pandas as pd

from emotion_pipeline.components.constants import EVAL_SPLIT, TRAIN_SPLIT
from emotion_pipeline.components.image_findings.findings import audit
from emotion_pipeline.components.image_findings.near_copies import Correlation, load_pixels
from emotion_pipeline.components.image_ingest.ingest import ingest
from emotion_pipeline.components.image_ingest.manifest import kept_rows
from emotion_pipeline.components.image_ingest.prune_reason import PruneReason

PAIRS_PER_SHEET = 25
COLUMNS = 5
SIDE_PX = 144
CAPTION_PX = 18
GAP_PX = 12


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("out_dir", type=pathlib.Path)
    parser.add_argument("--pairs", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    load = functools.partial(load_pixels, options.folder.resolve())
    table = ingest(options.folder)
    audited, findings = audit(table, load)
    [near] = [finding for finding in findings if finding.kind == "near_copies"]
    correlate = Correlation(load)
    rows = kept_rows(table).set_index("path")
    dropped = set(audited["path"][audited["reason"] == PruneReason.CROSS_SPLIT_NEAR_COPY.value])
    cross, anywhere = [], []
    for group in near.groups:
        evals = [path for path in group if rows["split"][path] == EVAL_SPLIT]
        for path in group:
            if path in dropped and rows["split"][path] == TRAIN_SPLIT:
                cross.append(most_alike(path, evals, correlate))
        # Pictures with other pixels: exact copies need no look.
        hashes = rows["pixel_hash"][list(group)]
        first = group[0]
        others = [path for path in group if hashes[path] != hashes[first]]
        anywhere.append(most_alike(first, others, correlate))
    options.out_dir.mkdir(parents=True, exist_ok=True)
    for name, pairs in (("cross_split", cross), ("any", anywhere)):
        rng = np.random.default_rng(options.seed)
        chosen = rng.choice(len(pairs), min(options.pairs, len(pairs)), replace=False)
        sample = [pairs[index] for index in chosen]
        frame = pd.DataFrame(sample, columns=["one", "other", "correlation"])
        frame.to_csv(options.out_dir / f"{name}.csv", index=False)
        for start in range(0, len(sample), PAIRS_PER_SHEET):
            sheet = draw(sample[start : start + PAIRS_PER_SHEET], start, load)
            cv2.imwrite(str(options.out_dir / f"{name}-{start // PAIRS_PER_SHEET}.png"), sheet)
        print(f"{name}: {len(sample)} of {len(pairs)} pairs drawn")


def most_alike(path: str, others: list[str], correlate: Correlation) -> tuple[str, str, float]:
    """Returns the path, that of the others which is most like it, and their correlation."""
    best = max(others, key=lambda other: correlate(path, other))
    return path, best, correlate(path, best)


def draw(pairs: list[tuple[str, str, float]], first: int, load) -> np.ndarray:
    """Returns a sheet of pairs side by side, each with its number and its correlation."""
    width, height = 2 * SIDE_PX + GAP_PX, SIDE_PX + CAPTION_PX + GAP_PX
    lines = -(-len(pairs) // COLUMNS)
    sheet = np.full((lines * height, COLUMNS * width), 255, np.uint8)
    for index, (one, other, correlation) in enumerate(pairs):
        top, left = index // COLUMNS * height, index % COLUMNS * width
        for place, path in enumerate((one, other)):
            face = cv2.resize(load(path), (SIDE_PX, SIDE_PX), interpolation=cv2.INTER_NEAREST)
            begin = left + place * SIDE_PX
            sheet[top + CAPTION_PX : top + CAPTION_PX + SIDE_PX, begin : begin + SIDE_PX] = face
        caption = f"{first + index}: {correlation:.3f}"
        cv2.putText(sheet, caption, (left, top + 14), cv2.FONT_HERSHEY_SIMPLEX, 0.45, 0)
    return sheet


if __name__ == "__main__":
    main()
