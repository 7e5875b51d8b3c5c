"""What `emotion explain` does: pictures in, a picture of reasons for each out."""

from __future__ import annotations

import dataclasses
import itertools
import pathlib
import sys
from collections.abc import Sequence
from typing import Any

import numpy as np

from emotion_faces.annotate import inputs
from emotion_faces.annotate.draw_why import draw_why
from emotion_faces.annotate.faces import Classifier, Shot, ask_model
from emotion_faces.annotate.image import read_picture
from emotion_faces.annotate.run import write_picture
from emotion_faces.annotate.table import quality_fields
from emotion_faces.errors import UserError
from emotion_faces.explain import Explanation, check_emotion, explain_picture
from emotion_faces.faces.detector import FaceDetector
from emotion_faces.file_kind import FileKind, kind_of_file
from emotion_faces.names import printable
from emotion_faces.notes import tell_aside
from emotion_faces.regular_file import open_regular

MAX_FACES = 50
"""Explained in one picture; a face takes about a second."""

_LARGEST_CROP_PX = 96  # in a picture no larger, where no face is found, the whole is taken as one


@dataclasses.dataclass
class Explained:
    """What came of a run: an object for each face, and whether a file failed."""

    faces: list[dict[str, Any]] = dataclasses.field(default_factory=list)
    failed: bool = False


def explain_files(
    paths: Sequence[pathlib.Path],
    out_dir: pathlib.Path,
    detector: FaceDetector,
    classifier: Classifier,
    emotion: str | None = None,
    whole: bool = False,
) -> Explained:
    """Explains the answers about the faces of pictures, and draws them.

    A picture that can't be read or has no face is told on stderr; the others are done.

    Args:
      paths: Pictures, and folders of them.
      out_dir: Where a PNG for each picture goes, `NAME.why.png`; nothing that exists is written over.
      detector: Finds faces.
      classifier: Asks the model.
      emotion: The class to explain; None for each face's likeliest.
      whole: Each picture is one cropped face.

    Raises:
      UserError: A path does not exist, an output exists, the model has no such class, or no server answers.
    """
    files = [
        dataclasses.replace(file, target=file.target.with_name(f"{file.path.name}.why.png"))
        for file in inputs.collect(paths, out_dir)[0]
    ]
    inputs.check_outputs(files, None)
    if emotion is not None:
        check_emotion(emotion, ask_model(classifier).labels)
    out_dir.mkdir(parents=True, exist_ok=True)
    done = Explained()
    for file in files:
        try:
            image = _read(file.path)
        except UserError as error:
            _fail(done, str(error))
            continue
        found = _explain(image, file, detector, classifier, emotion, whole)
        if not found:
            _fail(
                done,
                f"{printable(file.path)}: no face is found in it; if it is one cropped face, say --whole",
            )
            continue
        try:
            write_picture(file.target, Shot(draw_why(found)))
        except OSError as error:
            _fail(done, f"{printable(file.path)}: its picture can't be written: {error.strerror}")
            continue
        names = {"path": printable(file.path)}, {"picture": printable(file.target)}
        done.faces += [names[0] | explanation_fields(one) | names[1] for one in found]
    return done


def _read(path: pathlib.Path) -> np.ndarray:
    if kind_of_file(path) is not FileKind.FILM:
        return read_picture(path, tell_aside)
    try:
        open_regular(path).close()
    except OSError as error:
        raise UserError(f"{printable(path)} can't be read: {error.strerror}") from None
    raise UserError(f"{printable(path)} is no picture: save the frame that you mean as one")


def _explain(
    image: np.ndarray,
    file: inputs.InputFile,
    detector: FaceDetector,
    classifier: Classifier,
    emotion: str | None,
    whole: bool,
) -> list[Explanation]:
    name = printable(file.path)
    explanations = explain_picture(image, detector, classifier, emotion, whole)
    found = list(itertools.islice(explanations, MAX_FACES))
    if next(explanations, None) is not None:
        print(f"{name}: only the first {MAX_FACES} faces are explained", file=sys.stderr)
    if not found and max(image.shape[:2]) <= _LARGEST_CROP_PX:
        print(f"{name}: no face is found in it, so the whole is taken as one", file=sys.stderr)
        found = list(explain_picture(image, detector, classifier, emotion, whole=True))
    return found


def explanation_fields(explanation: Explanation) -> dict[str, Any]:
    """An explanation as JSON has it: the face's answer and quality, and `falls` to four decimals."""
    face = explanation.face
    return {
        "face": face.track,
        "label": face.label,
        "emotion": explanation.emotion,
        "probability": face.probabilities[explanation.emotion],
        "probabilities": face.probabilities,
        **quality_fields(face),
        "largest_fall": explanation.largest_fall,
        "falls": [[round(float(value), 4) for value in row] for row in explanation.falls],
    }


def _fail(done: Explained, reason: str) -> None:
    done.failed = True
    tell_aside(reason)
