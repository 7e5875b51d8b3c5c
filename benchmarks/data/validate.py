"""Time `emotion validate` beside a plain script that only hashes and decodes, and its peak memory.

    python -m benchmarks.data.validate FOLDER [--times N --scratch DIR]

FOLDER holds images/train/<class>/ and images/validation/<class>/. With --times N, up to 10, both run
once more on the data set repeated N times with changed pixels (mirrored, turned, inverted), written
to DIR. Each program runs in a process of its own, one after the other, after one pass that warms the
file cache; the seconds are those of the whole process, imports included.
"""

import argparse
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time

from benchmarks.data.ingest import repeat, run_plain

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
MIB = 2**20


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--times", type=int, default=1)
    parser.add_argument("--scratch", type=pathlib.Path)
    parser.add_argument("--plain", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    folder = options.folder.resolve()
    if options.plain:
        print(run_plain(folder))
        return
    if options.times > 1 and options.scratch is None:
        parser.error("--times needs --scratch")
    compare(folder, "1x")
    if options.times > 1:
        repeated = repeat(folder, options.times, options.scratch.resolve())
        compare(repeated, f"{options.times}x")


def compare(folder: pathlib.Path, name: str) -> None:
    """Runs both programs on a folder and prints a line for each."""
    run_plain(folder)
    plain_secs, plain_mib, _ = measure(
        [sys.executable, "-m", "benchmarks.data.validate", str(folder), "--plain"],
        expected_status=(0,),
    )
    print(f"{name} plain:    {plain_secs:6.1f} s, peak {plain_mib:5.0f} MiB", flush=True)
    with tempfile.TemporaryDirectory() as root:
        outcome = pathlib.Path(root) / "validation.json"
        secs, mib, status = measure(
            [
                *(sys.executable, "-m", "emotion_pipeline.cli", "validate", str(folder)),
                *("--root", root, "--json", str(outcome)),
            ],
            expected_status=(0, 4),
        )
        content = json.loads(outcome.read_text(encoding="utf-8"))
    images = sum(counts["found"] for counts in content["images"].values())
    parts = ", ".join(f"{one['id']} {one['seconds']:.1f}" for one in content["components"])
    print(
        f"{name} validate: {secs:6.1f} s, peak {mib:5.0f} MiB, {images} images, status {status}\n"
        f"   {parts}; ratio {secs / plain_secs:.1f}",
        flush=True,
    )


def measure(command: list[str], expected_status: tuple[int, ...]) -> tuple[float, float, int]:
    """Returns the seconds, the peak memory in MiB and the exit status of a process."""
    start = time.perf_counter()
    process = subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.DEVNULL)
    _, wait_status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - start
    status = os.waitstatus_to_exitcode(wait_status)
    if status not in expected_status:
        raise SystemExit(f"{' '.join(command)}: ended with status {status}")
    return seconds, usage.ru_maxrss * 1024 / MIB, status


if __name__ == "__main__":
    main()
