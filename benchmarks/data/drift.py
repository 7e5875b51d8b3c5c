"""Study which changes of a data set the comparators catch, and which only an evaluation can.

    python -m benchmarks.data.drift FOLDER [--model VERSION_DIR] [--seed 0]

FOLDER holds images/train/<class>/ and images/validation/<class>/. Copies of it are made in memory:
coded anew as JPEG of quality 95; the same and brighter by 5, 10 and 25 of 255 grays; with the
largest, a middle and the smallest class halved; with 10 % of the labels swapped for another class.
Each is compared with the original by the curated schema, and looked through for copies. With
--model, a pushed version's folder, the accuracy on the eval split of each copy is told too. Then
samples of the original are drawn in many sizes, to see how far apart chance alone puts them.

Prints tables in Markdown.
"""

import argparse
import functools
import pathlib

import cv2
import numpy as np
import pandas as pd
import tensorflow_data_validation as tfdv

from emotion_pipeline.components.constants import EVAL_SPLIT, TRAIN_SPLIT
from emotion_pipeline.components.drift_validator import drift
from emotion_pipeline.components.drift_validator.histograms import QUANTILES
from emotion_pipeline.components.image_findings.findings import audit
from emotion_pipeline.components.image_findings.near_copies import load_pixels
from emotion_pipeline.components.image_ingest.ingest import ingest
from emotion_pipeline.components.image_ingest.manifest import kept_rows
from emotion_pipeline.components.image_ingest.measure import measure_pixels
from emotion_pipeline.configs import PipelineConfig
from emotion_pipeline.validation.schemas import load_schema

FEATURES = ("label", "brightness", "contrast", "sharpness", "entropy", "size_bytes")
NUMBERS = ("brightness", "contrast", "sharpness", "entropy")
HALVED = ("happy", "surprise", "disgust")
SWAPPED_SHARE = 0.1
SHIFTS = (0, 5, 10, 25)
SAMPLE_SIZES = (50, 100, 200, 500, 1000, 3589)
DRAWS = 100


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--model", type=pathlib.Path)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    rng = np.random.default_rng(options.seed)
    root = options.folder.resolve()
    load = functools.partial(load_pixels, root)
    schema = load_schema(PipelineConfig().schema_path)
    original = ingest(root)
    audited, _ = audit(original, load)
    baseline = split_statistics(audited)

    changes = {"as it is": (original, 0)}
    for shift in SHIFTS:
        name = f"brighter by {shift}" if shift else "coded anew at quality 95"
        changes[name] = (brighten(original, load, shift), shift)
    for label in HALVED:
        changes[f"{label} halved"] = (halve(original, label, rng), 0)
    changes["10 % of labels swapped"] = (swap_labels(original, rng), 0)

    print(f"| copy | {' | '.join(FEATURES)} | brightness, TFDV's buckets | caught | conflicts |")
    print("|---|" + "---|" * (len(FEATURES) + 3))
    kept_of = {}
    for name, (table, _) in changes.items():
        kept_of[name], findings = audit(table, load)
        statistics = split_statistics(kept_of[name])
        [train] = [
            one
            for one in drift.compare_splits(statistics, baseline, schema)
            if one.comparison == "train_vs_baseline"
        ]
        conflicts = next(one for one in findings if one.kind == "conflicting_labels")
        own = own_brightness(statistics[TRAIN_SPLIT], baseline[TRAIN_SPLIT], schema)
        print(row(name, train, own, f"{len(conflicts.groups)}"), flush=True)
    [splits] = drift.compare_splits(baseline, {}, schema)
    own = own_brightness(baseline[TRAIN_SPLIT], baseline[EVAL_SPLIT], schema)
    print(row("train against eval", splits, own, ""), flush=True)

    if options.model:
        print_accuracy(options.model, root, {n: (kept_of[n], s) for n, (_, s) in changes.items()})
    print_chance(kept_rows(audited, TRAIN_SPLIT), baseline[TRAIN_SPLIT], schema, rng)


def row(name: str, comparison: drift.Comparison, own: float, conflicts: str) -> str:
    measured = {one.feature: one for one in comparison.measurements}
    caught = ", ".join(one.feature for one in comparison.measurements if one.exceeded)
    values = " | ".join(f"{measured[feature].value:.4f}" for feature in FEATURES)
    return f"| {name} | {values} | {own:.4f} | {caught or 'nothing'} | {conflicts} |"


def own_brightness(one, other, schema) -> float:
    """Returns the divergence in brightness by the buckets that TFDV gives each data set."""
    found = tfdv.validate_statistics(one, schema, previous_statistics=other)
    [info] = [info for info in found.drift_skew_info if list(info.path.step) == ["brightness"]]
    return info.drift_measurements[0].value


def statistics_of(rows: pd.DataFrame):
    frame = rows.rename(columns={"bytes": "size_bytes"})[list(FEATURES)].reset_index(drop=True)
    options = tfdv.StatsOptions(num_quantiles_histogram_buckets=QUANTILES)
    return tfdv.generate_statistics_from_dataframe(frame, options, n_jobs=1)


def split_statistics(table: pd.DataFrame) -> dict:
    return {split: statistics_of(kept_rows(table, split)) for split in (TRAIN_SPLIT, EVAL_SPLIT)}


def brighten(table: pd.DataFrame, load, shift: int) -> pd.DataFrame:
    """Returns the table as it would be of pictures that are brighter, clipped at white."""
    rows = []
    for path in table["path"]:
        pixels = cv2.add(load(path), shift)
        data = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, 95])[1]
        decoded = cv2.imdecode(data, cv2.IMREAD_GRAYSCALE)
        rows.append([len(data), *measure_pixels(decoded)[4:]])
    changed = table.copy()
    columns = ["bytes", "pixel_hash", "perceptual_hash", *NUMBERS]
    frame = pd.DataFrame(rows, columns=columns, index=table.index)
    changed[columns] = frame.astype(table[columns].dtypes.to_dict())
    return changed


def halve(table: pd.DataFrame, label: str, rng: np.random.Generator) -> pd.DataFrame:
    """Returns the table without half of the class's pictures, in both splits."""
    gone = []
    for split in (TRAIN_SPLIT, EVAL_SPLIT):
        rows = table.index[(table["label"] == label) & (table["split"] == split)]
        gone.extend(rng.choice(rows, len(rows) // 2, replace=False))
    return table.drop(index=gone)


def swap_labels(table: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """Returns the table with a tenth of the pictures in another class, drawn evenly."""
    labels = sorted(table["label"].unique())
    rows = rng.choice(table.index, round(SWAPPED_SHARE * len(table)), replace=False)
    others = rng.integers(1, len(labels), len(rows))
    changed = table.copy()
    codes = changed.loc[rows, "label"].map(labels.index).to_numpy()
    changed.loc[rows, "label"] = [labels[code] for code in (codes + others) % len(labels)]
    return changed


def print_accuracy(model: pathlib.Path, root: pathlib.Path, copies: dict) -> None:
    import tensorflow as tf

    predict = tf.saved_model.load(str(model)).signatures["pixels"]
    load = functools.partial(load_pixels, root)
    print("\n| copy | accuracy on its eval split | images |\n|---|---|---|")
    for name, (table, shift) in copies.items():
        rows = kept_rows(table, EVAL_SPLIT)
        answers: list[bytes] = []
        for start in range(0, len(rows), 256):
            pictures = [cv2.add(load(path), shift) for path in rows["path"][start : start + 256]]
            pixels = np.stack(pictures)[..., None].astype(np.float32) / 255
            answers.extend(predict(pixels=tf.constant(pixels))["label"].numpy())
        hits = np.array([answer.decode() for answer in answers]) == rows["label"].to_numpy()
        print(f"| {name} | {hits.mean():.4f} | {len(rows)} |")


def print_chance(train: pd.DataFrame, whole, schema, rng: np.random.Generator) -> None:
    print(
        "\n| images drawn | largest value of 100: " + " | ".join(FEATURES) + " | chance: ", end=""
    )
    print("L-infinity | Jensen-Shannon | exceeded |\n|---|" + "---|" * (len(FEATURES) + 3))
    for size in (size for size in SAMPLE_SIZES if size <= len(train)):
        values: dict[str, list[float]] = {feature: [] for feature in FEATURES}
        exceeded = 0
        for _ in range(DRAWS):
            sample = train.iloc[rng.choice(len(train), size, replace=False)]
            comparison = drift.compare_skew("chance", whole, statistics_of(sample), schema)
            for one in comparison.measurements:
                values[one.feature].append(one.value)
                exceeded += one.exceeded
            chance = {one.measure: one.chance for one in comparison.measurements}
        shown = " | ".join(f"{max(values[feature]):.4f}" for feature in FEATURES)
        print(
            f"| {size} | {shown} | {chance['L_INFTY']:.3f} | "
            f"{chance['JENSEN_SHANNON_DIVERGENCE']:.4f} | {exceeded} of {DRAWS * len(FEATURES)} |"
        )


if __name__ == "__main__":
    main()
