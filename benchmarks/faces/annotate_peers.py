"""Compares packages that find and classify faces, each in an environment of its own, on the same pictures and frames.

    uv venv light && uv pip install --python light dist/emotion_faces-*.whl
    uv venv fer && uv pip install --python fer fer==25.10.3 "opencv-contrib-python<5" "setuptools<80"
    python -m benchmarks.faces.annotate_peers --photograph serving/web/static/example-several.jpg --pictures FOLDER \\
        emotion-faces=light/bin/python "fer, Haar=fer/bin/python" "fer, MTCNN=fer/bin/python"

One after the other, each in processes of its own: the seconds from the start of Python to the first answer, the faces
found in each picture, and the frames a second of a film of 640 x 480 in which the view pans across the photograph,
without the frame that loads the model. Pictures and frames reach all of them as the same arrays.
"""

from __future__ import annotations

import argparse
import json
import pathlib
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable

import numpy as np

SIZE = (640, 480)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--photograph", type=pathlib.Path, required=True)
    parser.add_argument("--pictures", type=pathlib.Path, nargs="*", default=[], help="folders")
    parser.add_argument("--frames", type=int, default=100)
    parser.add_argument("peers", nargs="+", metavar="NAME=PYTHON", help=f"NAME: {', '.join(PEERS)}")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        arrays = pathlib.Path(folder, "arrays.npz")
        np.savez(arrays, **arrays_of(args))
        for peer in args.peers:
            name, _, python = peer.rpartition("=")
            try:
                began, spent = time.perf_counter(), children_secs()
                run(python, name, arrays, "--first")
                first, spent = time.perf_counter() - began, children_secs() - spent
                answer = run(python, name, arrays)
            except RuntimeError as error:
                print(f"{name}: did not run: {error}")
                continue
            print(
                f"{name}: {first:.1f} s to the first answer, {spent:.1f} s of CPU time; "
                f"{answer['fps']:.2f} frames/s, {answer['cpu_ms']:.0f} ms of CPU time a frame, "
                f"{answer['film']} faces in the film; "
                f"{sum(answer['pictures'].values())} faces in pictures: {answer['pictures']}"
            )


def children_secs() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def arrays_of(args: argparse.Namespace) -> dict[str, np.ndarray]:
    """Returns uint8 BGR: the pictures by name, and the film's frames."""
    sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "src"))
    import cv2

    from emotion_faces.faces.pictures import decode_picture

    pictures = {}
    for folder in args.pictures:
        for path in sorted(folder.iterdir()):
            pictures[path.name] = decode_picture(path.read_bytes())[:, :, ::-1]
    group = decode_picture(args.photograph.read_bytes())[:, :, ::-1]
    factor = max((SIZE[0] + 200) / group.shape[1], SIZE[1] / group.shape[0])
    group = cv2.resize(group, None, fx=factor, fy=factor)
    top = (group.shape[0] - SIZE[1]) // 2
    lefts = np.linspace(0, group.shape[1] - SIZE[0], args.frames + 1).astype(int)
    frames = [group[top : top + SIZE[1], x : x + SIZE[0]] for x in lefts]
    return {"frames": np.stack(frames), **pictures}


def run(python: str, name: str, arrays: pathlib.Path, *options: str) -> dict:
    done = subprocess.run(
        [python, "-c", MEASURE, __file__, name, str(arrays), *options],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        told = (done.stderr or done.stdout).strip().splitlines() or [f"status {done.returncode}"]
        raise RuntimeError(told[-1][:300])
    return json.loads(done.stdout.strip().splitlines()[-1])


# This file is run from its path: its folder would come before the peer's packages.
MEASURE = """
import runpy, sys
file, *sys.argv[1:] = sys.argv[1:]
runpy.run_path(file)["measure"](*sys.argv[1:])
"""


def measure(name: str, arrays: str, *options: str) -> None:
    """Runs in the peer's environment; prints what it found as a line of JSON."""
    with np.load(arrays) as loaded:
        given = {key: np.ascontiguousarray(loaded[key]) for key in loaded.files}
    frames = given.pop("frames")
    of_picture, of_frame = PEERS[name]()
    if options:
        print(json.dumps({"first": of_picture(frames[0])}))
        return
    found = {key: of_picture(picture) for key, picture in given.items()}
    of_frame(frames[0])
    began, spent = time.perf_counter(), time.process_time()
    film = sum(of_frame(frame) for frame in frames[1:])
    seconds, spent = time.perf_counter() - began, time.process_time() - spent
    number = len(frames) - 1
    told = {"fps": number / seconds, "cpu_ms": 1000 * spent / number, "film": film}
    print(json.dumps({**told, "pictures": found}))


Counter = Callable[[np.ndarray], int]
"""Takes uint8 BGR [height, width, 3], as all of them do; returns the number of faces with emotions."""


def emotion_faces() -> tuple[Counter, Counter]:
    from emotion_faces import Emotions, Shot

    emotions = Emotions()

    def of_frame(frame: np.ndarray) -> int:
        [shot] = emotions.frames([Shot(np.ascontiguousarray(frame[:, :, ::-1]), seconds=0.0)])
        return len(shot.faces)

    return lambda picture: len(emotions.detect_emotions(picture)), of_frame


def fer(mtcnn: bool) -> tuple[Counter, Counter]:
    from fer.fer import FER

    detector = FER(mtcnn=mtcnn)

    def of_picture(picture: np.ndarray) -> int:
        return len(detector.detect_emotions(picture))

    return of_picture, of_picture


def deepface() -> tuple[Counter, Counter]:
    from deepface import DeepFace

    def of_picture(picture: np.ndarray) -> int:
        found = DeepFace.analyze(picture, actions=["emotion"], enforce_detection=False, silent=True)
        return sum(one["face_confidence"] > 0 for one in found)

    return of_picture, of_picture


PEERS: dict[str, Callable[[], tuple[Counter, Counter]]] = {
    "emotion-faces": emotion_faces,
    "fer, Haar": lambda: fer(mtcnn=False),
    "fer, MTCNN": lambda: fer(mtcnn=True),
    "deepface": deepface,
}


if __name__ == "__main__":
    main()
