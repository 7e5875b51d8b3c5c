"""Measures the pipeline's data path beside a plain script that does the same work.

`python -m benchmarks.data_path --data DIR` runs, each in a process of its own and one after the other:
the components from ImageIngest to Transform, and a single-threaded OpenCV and pandas script that reads,
decodes, hashes, translates copies until the classes are level, scales and writes. It prints seconds,
peak memory and the ratios.
"""

import argparse
import json
import pathlib
import resource
import subprocess
import sys
import tempfile
import time


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
    """Runs the pipeline's components up to Transform and returns their seconds."""
    from pipeline import local_runner
    from pipeline.configs import PipelineConfig
    from pipeline.pipeline import PIPELINE_NAME, create_pipeline
    from pipeline.run_records import latest_run

    config = PipelineConfig(data=str(data), root=str(out))
    connection = local_runner.metadata_connection(out)
    graph = create_pipeline(config, metadata_connection_config=connection)
    wanted = [node.id for node in graph.components]
    wanted = wanted[: wanted.index("Transform") + 1]
    graph.components = [node for node in graph.components if node.id in wanted]
    local_runner.ReportingDagRunner().run(graph)
    return {run.id: run.seconds for run in latest_run(connection, PIPELINE_NAME)}


WAYS = {"plain": plain_script, "pipeline": pipeline_path}


def main() -> None:
    """Measures one way in this process, or both in processes of their own."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=pathlib.Path, required=True)
    parser.add_argument("--way", choices=list(WAYS), help=argparse.SUPPRESS)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        if options.way:
            start = time.monotonic()
            found = WAYS[options.way](options.data.resolve(), pathlib.Path(folder))
            seconds = time.monotonic() - start
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            print(json.dumps({"seconds": seconds, "peak_mib": peak, **found}))
            return
    results = {}
    for way in WAYS:
        command = [sys.executable, "-m", "benchmarks.data_path", "--way", way]
        done = subprocess.run(
            [*command, "--data", str(options.data)],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            check=True,
            text=True,
        )
        results[way] = json.loads(done.stdout.splitlines()[-1])
        print(f"{way}: {results[way]}")
    for key in ("seconds", "peak_mib"):
        print(f"{key}: pipeline / plain = {results['pipeline'][key] / results['plain'][key]:.2f}")


if __name__ == "__main__":
    main()
