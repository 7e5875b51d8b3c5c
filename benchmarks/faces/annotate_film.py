"""Measures annotating a long film: frames a second, and memory from its start to its end.

    python -m benchmarks.faces.annotate_film --faces DATA/images/validation --photograph group.jpg \
        --model-dir MODEL --minutes 10 --every 3

The film is made from real 48x48 faces, pasted into a scene and moving, and from a photograph that
the view pans across, in turns of ten seconds; 640 x 480, 25 frames a second, with sound. Memory is
this process's resident set, every ten seconds.
"""

from __future__ import annotations

import argparse
import csv
import pathlib
import tempfile
import threading
import time
from collections.abc import Iterator
from fractions import Fraction

import av
import cv2
import numpy as np

from emotion_faces.annotate import run

FPS = 25
TURN_SECS = 10
SIZE = (640, 480)
FACE_PX = 120
SOUND_RATE = 48_000


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--faces", type=pathlib.Path, required=True)
    parser.add_argument("--photograph", type=pathlib.Path, required=True)
    parser.add_argument("--model-dir", type=pathlib.Path, required=True)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--every", type=int, default=3)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        film = pathlib.Path(folder) / "film.mp4"
        write_film(film, args.faces, args.photograph, args.minutes)
        memory: list[tuple[float, float]] = []
        over = threading.Event()
        sampler = threading.Thread(target=sample_memory, args=(memory, over))
        sampler.start()
        start = time.perf_counter()
        out = pathlib.Path(folder) / "out"
        settings = run.Settings(every=args.every)
        summary = run.annotate([film], out, model_dir=args.model_dir, settings=settings)
        seconds = time.perf_counter() - start
        over.set()
        sampler.join()
        with (out / "faces.csv").open(newline="") as table:
            rows = sum(1 for _ in csv.reader(table)) - 1
        print(f"{summary}\n{rows} rows, {(out / 'film.mp4').stat().st_size / 1e6:.1f} MB of film")
    print(f"{seconds:.0f} s with the model's loading: {summary.frames / seconds:.1f} frames/s")
    for mark in (0.1, 0.25, 0.5, 0.75, 1.0):
        at, mib = memory[round(mark * (len(memory) - 1))]
        print(f"resident after {at:4.0f} s: {mib:.0f} MiB")


def sample_memory(memory: list[tuple[float, float]], over: threading.Event) -> None:
    start = time.perf_counter()
    while not over.wait(10 if memory else 0):
        pages = int(pathlib.Path("/proc/self/statm").read_text().split()[1])
        memory.append((time.perf_counter() - start, pages * 4096 / 2**20))


def write_film(
    path: pathlib.Path, faces: pathlib.Path, photograph: pathlib.Path, minutes: float
) -> None:
    with av.open(str(path), "w") as film:
        pictures = film.add_stream("libx264", FPS, options={"preset": "ultrafast"})
        pictures.width, pictures.height = SIZE
        pictures.pix_fmt = "yuv420p"
        sound = film.add_stream("aac", SOUND_RATE, layout="mono")
        for number, image in enumerate(frames(faces, photograph, round(minutes * 60 * FPS))):
            film.mux(pictures.encode(av.VideoFrame.from_ndarray(image, format="bgr24")))
            times = np.arange(SOUND_RATE // FPS) + number * (SOUND_RATE // FPS)
            tone = 0.3 * np.sin(times * (2 * np.pi * 220 / SOUND_RATE)).astype(np.float32)
            part = av.AudioFrame.from_ndarray(tone[None], format="fltp", layout="mono")
            part.sample_rate, part.pts = SOUND_RATE, int(times[0])
            part.time_base = Fraction(1, SOUND_RATE)
            film.mux(sound.encode(part))
        film.mux(pictures.encode(None))
        film.mux(sound.encode(None))


def frames(faces: pathlib.Path, photograph: pathlib.Path, count: int) -> Iterator[np.ndarray]:
    files = sorted(faces.rglob("*.jpg"))[::29]
    group = cv2.imread(str(photograph))
    factor = 1.1 * SIZE[1] / group.shape[0]
    group = cv2.resize(group, None, fx=factor, fy=factor)
    blurred = cv2.GaussianBlur(cv2.resize(group, SIZE), (0, 0), 25)
    for number in range(count):
        turn, step = divmod(number, TURN_SECS * FPS)
        share = step / (TURN_SECS * FPS)
        if turn % 2:
            left = round(share * (group.shape[1] - SIZE[0]))
            yield np.ascontiguousarray(group[: SIZE[1], left : left + SIZE[0]])
            continue
        scene = blurred.copy()
        for place in range(3):
            face = cv2.imread(str(files[(3 * turn + place) % len(files)]))
            x, y = 30 + 200 * place + round(20 * share), 100 + round(60 * share) + 60 * (place % 2)
            scene[y : y + FACE_PX, x : x + FACE_PX] = cv2.resize(face, (FACE_PX, FACE_PX))
        yield scene


if __name__ == "__main__":
    main()
