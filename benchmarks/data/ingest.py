"""Time ingestion and audit of a data set beside a plain script that only hashes and decodes.

    python -m benchmarks.data.ingest FOLDER [--times N --scratch DIR]

FOLDER holds images/train/<class>/ and images/validation/<class>/. With --times N, up to 10, it is
repeated N times with changed pixels (mirrored, turned, inverted) in DIR, to show how memory grows.
Each program runs in a process of its own, one after the other; both are preceded by one pass that
warms the file cache.
"""

import argparse
import functools
import hashlib
import pathlib
import resource
import subprocess
import sys
import time

import cv2
import numpy as np

MIB = 2**20


def run_plain(folder: pathlib.Path) -> str:
    count = 0
    for path in folder.glob("images/*/*/*"):
        data = path.read_bytes()
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_GRAYSCALE)
        hashlib.sha256(data).hexdigest()
        hashlib.sha256(pixels).hexdigest()
        count += 1
    return f"{count} images"


def run_project(folder: pathlib.Path) -> str:
    from emotion_pipeline.components.image_findings.findings import audit
    from emotion_pipeline.components.image_findings.near_copies import load_pixels
    from emotion_pipeline.components.image_ingest.ingest import ingest

    began = time.perf_counter()
    table = ingest(folder)
    ingested = time.perf_counter()
    _, findings = audit(table, functools.partial(load_pixels, folder))
    audited = time.perf_counter()
    near = next(finding for finding in findings if finding.kind == "near_copies")
    return (
        f"{len(table)} images, ingest {ingested - began:.1f} s, audit {audited - ingested:.1f} s, "
        f"table {table.memory_usage(deep=True).sum() / MIB:.0f} MiB, "
        f"{len(near.groups)} near groups"
    )


PROGRAMS = {"plain": run_plain, "project": run_project}


def repeat(folder: pathlib.Path, times: int, scratch: pathlib.Path) -> pathlib.Path:
    """Writes the data set `times` times over into `scratch`, the pixels changed each time."""
    changes = [functools.partial(np.rot90, k=turns) for turns in range(4)]
    changes += [lambda pixels, turn=turn: turn(pixels[:, ::-1]) for turn in changes]
    changes += [lambda pixels: 255 - pixels, lambda pixels: 255 - pixels[:, ::-1]]
    target = scratch / f"times{times}"
    for path in folder.glob("images/*/*/*"):
        pixels = cv2.imdecode(np.frombuffer(path.read_bytes(), np.uint8), cv2.IMREAD_GRAYSCALE)
        out = target / path.relative_to(folder).parent
        out.mkdir(parents=True, exist_ok=True)
        for number, change in enumerate(changes[:times]):
            data = cv2.imencode(".jpg", np.ascontiguousarray(change(pixels)))[1]
            (out / f"{path.stem} {number}.jpg").write_bytes(data)
    return target


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--times", type=int, default=1, choices=range(1, 11))
    parser.add_argument("--scratch", type=pathlib.Path, default=pathlib.Path("scratch"))
    parser.add_argument("--program", choices=PROGRAMS, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.program:
        began = time.perf_counter()
        told = PROGRAMS[arguments.program](arguments.folder)
        seconds = time.perf_counter() - began
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(f"{arguments.program}: {seconds:.1f} s, peak {peak:.0f} MiB ({told})", flush=True)
        return
    folder = arguments.folder
    if arguments.times > 1:
        folder = repeat(folder, arguments.times, arguments.scratch)
    run_plain(folder)
    for program in PROGRAMS:
        subprocess.run(
            [sys.executable, "-m", "benchmarks.data.ingest", folder, "--program", program],
            check=True,
        )


if __name__ == "__main__":
    main()
