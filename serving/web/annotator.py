"""The page's questions to the detector and the model, answered for one picture at a time."""

from __future__ import annotations

import collections
from typing import Any

import cv2

from emotion_faces.annotate.draw import colour_of, draw_faces
from emotion_faces.annotate.explain_files import explanation_fields
from emotion_faces.annotate.faces import (
    Classifier,
    FaceEmotion,
    Shot,
    ask_model,
    find_emotions,
    mark_unsure,
)
from emotion_faces.annotate.run import encode_picture
from emotion_faces.annotate.table import quality_fields
from emotion_faces.annotate.track import Tracker
from emotion_faces.errors import UserError
from emotion_faces.explain import explain_face
from emotion_faces.faces.any_turn import AnyTurn
from emotion_faces.faces.detector import FaceDetector
from emotion_faces.faces.pictures import decode_picture
from emotion_faces.web.about import About

_MAX_SESSIONS = 64  # films and cameras whose faces are followed at a time
_MAX_VIEW_PX = 1600  # longest side of a picture as it is shown


class Annotator:
    """Answers the page's questions; its work is done in one thread, a picture at a time.

    Args:
      classifier: Asks the model.
      detector: Finds faces.
      about: What the model's folder says of it.
      unsure_below: Faces whose likeliest emotion has a smaller probability count as unsure.
    """

    def __init__(
        self,
        classifier: Classifier,
        detector: FaceDetector,
        about: About,
        unsure_below: float = 0.0,
    ):
        self._classifier = classifier
        self._detector = detector
        self._any_turn = AnyTurn(detector)
        self._about = about
        self._unsure_below = unsure_below
        self._trackers: collections.OrderedDict[str, Tracker] = collections.OrderedDict()

    def model(self) -> dict[str, Any]:
        """The model's facts, for the page's head."""
        facts = ask_model(self._classifier)
        return {
            "version": facts.version,
            "network": self._about.network,
            "accuracy": self._about.metrics.get("accuracy"),
            "macro_f1": self._about.metrics.get("macro_f1"),
            "pictures": self._about.pictures,
            "card": bool(self._about.card),
            "unsure_below": self._unsure_below,
            "labels": [
                {"name": name, "colour": "#{:02x}{:02x}{:02x}".format(*colour_of(index))}
                for index, name in enumerate(facts.labels)
            ],
        }

    def card(self) -> str:
        """The model's card; empty where its folder has none."""
        return self._about.card

    def faces(self, data: bytes, session: str = "", seconds: float = 0.0) -> dict[str, Any]:
        """The faces in an encoded picture.

        Args:
          data: The picture.
          session: Names a film or a camera, whose faces are followed and smoothed; "" for none.
          seconds: The frame's time in that film.

        Raises:
          UserError: The picture can't be read, or the model server does not answer.
        """
        image = decode_picture(data)
        # A film's frames come upright, and too fast to be searched four times.
        detector = self._detector if session else self._any_turn
        [shot] = find_emotions([Shot(image)], detector, self._classifier)
        faces = self._tracker(session).update(shot.faces, seconds) if session else shot.faces
        height, width = image.shape[:2]
        return {"width": width, "height": height, "faces": [_face_fields(face) for face in faces]}

    def marked(self, data: bytes, is_jpeg: bool, unsure_below: float) -> bytes:
        """The marked copy of a picture, as `emotion annotate` writes it: a JPEG, else a PNG.

        Raises:
          UserError: The picture can't be read, or the model server does not answer.
        """
        image = decode_picture(data)
        [shot] = find_emotions([Shot(image)], self._any_turn, self._classifier)
        draw_faces(shot.image, mark_unsure(shot.faces, unsure_below))
        return encode_picture(shot.image, is_jpeg)

    def explain(self, data: bytes, x: float, y: float, emotion: str | None) -> dict[str, Any]:
        """Why a face of a picture is answered as it is, as `emotion explain` has it.

        Args:
          data: The picture.
          x, y: A place in the face, in [0, 1] of the picture's width and height.
          emotion: The class to explain; None for the likeliest.

        Returns:
          What `emotion explain --json` says of a face, and `pixels`: [48][48] levels of gray, as the model sees it.

        Raises:
          UserError: The picture can't be read or has no face there, the model has no such class, or the model
            server does not answer.
        """
        image = decode_picture(data)
        [shot] = find_emotions([Shot(image)], self._any_turn, self._classifier)
        height, width = image.shape[:2]
        found = [face for face in shot.faces if _holds(face, x * width, y * height)]
        if not found:
            raise UserError("no face is found at that place of the picture")
        face = min(found, key=lambda face: face.box.width * face.box.height)
        explanation = explain_face(image, face, self._classifier, emotion)
        return explanation_fields(explanation) | {"pixels": explanation.pixels.tolist()}

    def picture(self, data: bytes) -> bytes:
        """The picture as a JPEG that every browser shows, upright, at most 1,600 pixels long.

        Raises:
          UserError: The picture can't be read.
        """
        image = decode_picture(data)
        height, width = image.shape[:2]
        factor = min(1.0, _MAX_VIEW_PX / max(height, width))
        size = max(1, round(width * factor)), max(1, round(height * factor))
        small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
        return cv2.imencode(".jpg", cv2.cvtColor(small, cv2.COLOR_RGB2BGR))[1].tobytes()

    def _tracker(self, session: str) -> Tracker:
        tracker = self._trackers.pop(session, None) or Tracker()
        self._trackers[session] = tracker
        if len(self._trackers) > _MAX_SESSIONS:
            self._trackers.popitem(last=False)
        return tracker


def _holds(face: FaceEmotion, x: float, y: float) -> bool:
    left, top = face.box.left, face.box.top
    return left <= x <= left + face.box.width and top <= y <= top + face.box.height


def _face_fields(face: FaceEmotion) -> dict[str, Any]:
    box = face.box
    return {
        **{side: float(getattr(box, side)) for side in ("left", "top", "width", "height")},
        "track": face.track,
        "label": face.label,
        "probabilities": {name: float(value) for name, value in face.probabilities.items()},
        "model_version": face.model_version,
        "quality": quality_fields(face),
    }
