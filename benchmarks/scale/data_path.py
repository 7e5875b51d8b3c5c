"""Measures the pipeline beside a plain script that does the same work on the pictures.

    python -m benchmarks.scale.data_path --data DIR

runs, each in a process of its own and one after the other: a single-threaded OpenCV and pandas script
that reads, decodes, translates copies until the classes are level, scales and writes; and the
pipeline, every component of it. Only Trainer does not train: it exports the network as it was
initialised, so that Evaluator and Pusher have a model to work on, and its seconds are not counted.
Printed are seconds, peak memory with that of all child processes, and the ratios.
"""

import argparse
import json
import os
import pathlib
import tempfile
import time

from benchmarks.scale.measured import measure
from benchmarks.scale.untrained import run_measured

DATA_PATH_END = "Transform"
"""The plain script does what the components up to this one do."""


def plain_script(data: pathlib.Path, out: pathlib.Path) -> dict:
    """Reads, translates, scales and writes every image with OpenCV and pandas."""
    import cv2
    import numpy as np
    import pandas as pd

    images = data / "images" if (data / "images").is_dir() else data
    rows = []
    for path in sorted(images.glob("*/*/*.jpg")):
        encoded = path.read_bytes()
        pixels = cv2.imdecode(np.frombuffer(encoded, np.uint8), cv2.IMREAD_GRAYSCALE)
        rows.append((path.parts[-3], path.parent.name, pixels))
    table = pd.DataFrame(rows, columns=["split", "label", "pixels"])
    train = table[table["split"] == "train"]
    largest = train["label"].value_counts().max()
    random = np.random.default_rng(0)
    copies = []
    for label, group in train.groupby("label"):
        for index in range(largest - len(group)):
            x, y = random.integers(-4, 5, 2)
            matrix = np.float32([[1, 0, x], [0, 1, y]])
            pixels = cv2.warpAffine(
                group["pixels"].iloc[index % len(group)],
                matrix,
                (48, 48),
                borderMode=cv2.BORDER_REPLICATE,
            )
            png = cv2.imencode(".png", pixels)[1]
            (out / f"{label}-{index}.png").write_bytes(png.tobytes())
            copies.append(("train", label, pixels))
    table = pd.concat([table, pd.DataFrame(copies, columns=table.columns)])
    for split, group in table.groupby("split"):
        scaled = np.stack(group["pixels"].to_list()).astype(np.float32) / 255.0
        np.save(out / f"{split}.npy", scaled)
    return {"images": len(table)}


def pipeline_path(data: pathlib.Path, out: pathlib.Path) -> dict:
    """Runs the pipeline with a Trainer that does not train.

    Returns:
      `components`: what each of them took, by id.
    """
    from emotion_pipeline.configs import FindingsConfig, PipelineConfig, ThresholdConfig

    config = PipelineConfig(
        data=str(data),
        root=str(out),
        thresholds=ThresholdConfig(accuracy=0.0, macro_f1=0.0),
        # The plain script knows no leaks: both balance all that was published.
        findings=FindingsConfig(cross_split_copies="report", cross_split_near_copies="report"),
    )
    return {"components": run_measured(config)}


WAYS = {"plain": plain_script, "pipeline": pipeline_path}


def _told(spent: dict) -> str:
    return f"{spent['seconds']:.1f} s ({spent['cpu_seconds']:.1f} s of CPU)"


def main() -> None:
    """Measures both ways, or runs one in this process."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=pathlib.Path, required=True)
    parser.add_argument("--way", choices=list(WAYS), help=argparse.SUPPRESS)
    options = parser.parse_args()
    data = options.data.resolve()
    if options.way:
        with tempfile.TemporaryDirectory() as folder:
            start = time.monotonic()
            told = WAYS[options.way](data, pathlib.Path(folder))
            seconds, cpu_seconds = time.monotonic() - start, sum(os.times()[:4])
            print(json.dumps({"seconds": seconds, "cpu_seconds": cpu_seconds, **told}))
        return
    for path in data.rglob("*.jpg"):  # so that neither way pays for a cold file cache
        path.read_bytes()
    plain, pipeline = (
        measure("benchmarks.scale.data_path", "--way", way, "--data", str(data)) for way in WAYS
    )
    components = pipeline["components"]
    ids = list(components)
    print(f"plain script, {plain['images']} images: {_told(plain)}")
    for name, spent in components.items():
        print(f"  {name}: {_told(spent)}{' (not counted)' if name == 'Trainer' else ''}")
    for what, names in (
        (f"up to {DATA_PATH_END}", ids[: ids.index(DATA_PATH_END) + 1]),
        ("all but Trainer", [name for name in ids if name != "Trainer"]),
    ):
        total = {
            key: sum(components[name][key] for name in names) for key in ("seconds", "cpu_seconds")
        }
        print(
            f"{what}: {_told(total)}; {total['seconds'] / plain['seconds']:.2f} times the plain "
            f"script, {total['cpu_seconds'] / plain['cpu_seconds']:.2f} times its CPU"
        )
    print("whole processes, imports and Trainer's export included:")
    for way, result in (("plain script", plain), ("pipeline", pipeline)):
        print(
            f"  {way}: {result['process_seconds']:.1f} s, {result['cpu_seconds']:.1f} s of CPU, "
            f"peak memory {result['peak_mib']:.0f} MiB; other programs took {result['others']:.0%} "
            "of the machine"
        )


if __name__ == "__main__":
    main()
