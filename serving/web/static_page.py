"""The page without a server: files for any web server, which find and judge faces in the browser."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import pathlib
from typing import Any

from emotion_faces import explain, local_server
from emotion_faces.annotate import track
from emotion_faces.annotate.faces import check_unsure_below
from emotion_faces.errors import UserError
from emotion_faces.faces import crop, detector, pictures
from emotion_faces.local_model import LocalModel
from emotion_faces.model_folder import EXTRA_DIR, ONNX_FILE, newest_version, onnx_file
from emotion_faces.picture_bytes import READ_FORMATS
from emotion_faces.web.about import About, read_about
from emotion_faces.web.annotator import Annotator
from emotion_faces.web.onnxruntime_web import runtime_files

LIST_FILE = "files.json"
"""Names the files that were written, with their SHA-256, so that the next time tells them from others."""

CARD_FILE = "model-card.txt"

LIVE_LONGEST_SIDE_PX = 320
"""Films and cameras are searched at this size: in a browser the detector takes four times as long at the command's."""

_HERE = pathlib.Path(__file__).parent
SOURCES = (_HERE / "static", _HERE / "in_browser")
"""The page's own files; those of the second take the place of the first's."""

_POLICY = (
    "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'; style-src 'self'; "
    "img-src 'self' blob:; media-src blob:; connect-src 'self'; base-uri 'none'; form-action 'none'"
)
_CHANGES = (
    (
        '<meta charset="utf-8">',
        f'<meta charset="utf-8">\n  <meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        '  <meta name="referrer" content="no-referrer">',
    ),
    (
        "Asking the model server…",
        "Loading the model and what runs it, about 25 MB… (Where this stays, the page was opened as a file: it needs a "
        "web server, such as python -m http.server.)",
    ),
    (
        "Nothing leaves this computer: its own server looks at the pictures, holds results in memory while it runs, "
        "and writes nothing to disk that stays.",
        "No picture leaves this browser: the faces are found and judged in it, without a network too, and nothing "
        "is kept.",
    ),
    ('href="api/card"', f'href="{CARD_FILE}"'),
)
"""What `index.html` says otherwise where no server stands behind it."""


@dataclasses.dataclass(frozen=True)
class StaticPage:
    """A page that was written: its folder, the bytes of all files, and its model's name and version."""

    folder: pathlib.Path
    size: int
    model: str


def write_static_page(
    folder: pathlib.Path,
    model_dir: pathlib.Path,
    min_face_px: int = detector.DEFAULT_MIN_FACE_PX,
    unsure_below: float = 0.0,
) -> StaticPage:
    """Writes the page for a model into a folder, which is made if need be.

    Args:
      folder: A new or empty one, or one with an earlier page, which is replaced.
      model_dir: A version, a folder of numbered ones of which the newest is taken, or a version's ONNX file.
      min_face_px: Smaller faces are left out.
      unsure_below: Faces whose likeliest emotion has a smaller probability count as unsure.

    Raises:
      UserError: The folder has files of somebody's, the model has no ONNX file or can't be loaded, or what runs it is
        not there and can't be fetched.
    """
    check_unsure_below(unsure_below)
    replaced = _own_files(folder)
    model_path = onnx_file(model_dir)
    if model_path is None:
        raise UserError(
            f"{newest_version(model_dir)} has no {EXTRA_DIR}/{ONNX_FILE}, which a browser needs: name a "
            "version that has one"
        )
    about = read_about(model_dir)
    with local_server.connect(model_dir=model_dir) as model:
        assert isinstance(model, LocalModel)
        facts = Annotator(model, detector.CenterFace(), about, unsure_below).model()
    files = {
        **_page_files(about),
        **runtime_files(),
        "page.json": json.dumps({"facts": facts, "rules": _rules(min_face_px)}).encode(),
        "centerface.onnx": detector.WEIGHTS.read_bytes(),
        ONNX_FILE: model_path.read_bytes(),
    }
    digests = {name: hashlib.sha256(data).hexdigest() for name, data in sorted(files.items())}
    files[LIST_FILE] = json.dumps(digests, indent=1).encode()
    folder.mkdir(parents=True, exist_ok=True)
    for name in replaced - files.keys():
        (folder / name).unlink()
    # The list last: a page that was cut off is nobody's, and said to be.
    for name, data in files.items():
        _write(folder / name, data)
    name = about.network or "of that folder"
    return StaticPage(folder, sum(map(len, files.values())), f"{name}, version {facts['version']}")


def _rules(min_face_px: int) -> dict[str, Any]:
    """What the page has to do as this package does it."""
    return {
        "picture": {"max_pixels": pictures.MAX_PIXELS, "formats": READ_FORMATS},
        "detector": {
            "input": detector.INPUT,
            "outputs": detector.OUTPUTS,
            "longest_side_px": detector.DEFAULT_LONGEST_SIDE_PX,
            "live_longest_side_px": LIVE_LONGEST_SIDE_PX,
            "min_score": detector.DEFAULT_MIN_SCORE,
            "max_iou": detector.MAX_IOU,
            "min_face_px": min_face_px,
        },
        "crop": {"face_size_px": crop.FACE_SIZE_PX, "side_per_box": crop.SIDE_PER_BOX},
        "explain": {"cover_px": explain.COVER_PX, "step_px": explain.STEP_PX},
        "track": {
            "max_gap_secs": track.MAX_GAP_SECS,
            "smoothing_secs": track.SMOOTHING_SECS,
            "min_iou": track.MIN_IOU,
            "max_shift": track.MAX_SHIFT,
        },
    }


def _page_files(about: About) -> dict[str, bytes]:
    files = {
        path.name: path.read_bytes()
        for source in SOURCES
        for path in sorted(source.iterdir())
        if path.is_file()
    }
    text = files["index.html"].decode("utf-8")
    for before, after in _CHANGES:
        if text.count(before) != 1:
            raise ValueError(f"index.html has {before!r} {text.count(before)} times")
        text = text.replace(before, after)
    files["index.html"] = text.encode("utf-8")
    if about.card:
        files[CARD_FILE] = about.card.encode("utf-8")
    return files


def _own_files(folder: pathlib.Path) -> set[str]:
    """The files of an earlier page.

    Raises:
      UserError: There are others.
    """
    if not folder.exists():
        return set()
    if not folder.is_dir():
        raise UserError(f"{folder} is a file: name a folder for the page")
    try:
        known = json.loads((folder / LIST_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        known = {}
    known = known if isinstance(known, dict) else {}
    names = set(os.listdir(folder))
    for name in sorted(names - {LIST_FILE} if known else names):
        path = folder / name
        own = name in known and path.is_file()
        if not own or hashlib.sha256(path.read_bytes()).hexdigest() != known[name]:
            raise UserError(
                f"{folder} has {name}, which is not as an earlier page left it: name a new or empty folder"
            )
    return names


def _write(path: pathlib.Path, data: bytes) -> None:
    part = path.with_name(f"{path.name}.part")
    try:
        part.write_bytes(data)
        part.replace(path)
    except OSError as error:
        part.unlink(missing_ok=True)  # else it is in the next try's way
        raise UserError(f"{path} can't be written: {error.strerror}") from None
