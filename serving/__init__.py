"""Emotions of faces: pictures and films, a model server, a client and a page."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from emotion_faces.annotate.faces import Shot as Shot
    from emotion_faces.emotions import Emotions as Emotions

_LIBRARY = {"Emotions": "emotions", "Shot": "annotate.faces"}


def __getattr__(name: str) -> Any:
    """Finds what needs OpenCV only where it is asked for."""
    if name in _LIBRARY:
        return getattr(importlib.import_module(f"{__name__}.{_LIBRARY[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
