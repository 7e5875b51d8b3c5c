"""Where a shipped model is as a SavedModel, and where as ONNX."""

import hashlib
import os
import pathlib
import subprocess
import tempfile

from emotion_faces.cache import cache_dir
from emotion_faces.errors import UsageError as ServingUsageError
from emotion_faces.import_path import python_command
from emotion_faces.model_folder import version_number
from emotion_pipeline.components.errors import UsageError, UserError
from emotion_pipeline.components.fingerprint import code_fingerprint
from emotion_pipeline.shipped.models import ShippedModel, find_shipped

_SAVED_MODEL_CODE = ("emotion_pipeline.modules", "emotion_pipeline.onnx_model")


def shipped_model_dir(model: ShippedModel) -> pathlib.Path:
    """Returns a folder with a shipped model's version folder in it, as a model server wants it.

    The SavedModel is made at the first call, in the user's cache folder, and again when the weights
    or the code of the signatures changed.

    Raises:
      UserError: It cannot be made.
    """
    base_dir = cache_dir() / _fingerprint(model, *_SAVED_MODEL_CODE)
    if not any(version_number(child.name) is not None for child in base_dir.glob("*")):
        base_dir.mkdir(parents=True, exist_ok=True)
        log = base_dir / "export.log"
        # In a process of its own: its imports and its chatter are not the caller's.
        with log.open("wb") as file:
            made = subprocess.run(
                python_command("emotion_pipeline.shipped.export", model.name, str(base_dir)),
                env={**os.environ, "TF_USE_LEGACY_KERAS": "1"},
                stdout=file,
                stderr=subprocess.STDOUT,
                check=False,
            )
        if made.returncode:
            raise UserError(f"the model {model.name} can't be unpacked; see {log}")
    return base_dir


def make_onnx_model(name: str | None = None) -> tuple[str, pathlib.Path, pathlib.Path]:
    """Returns the name of a shipped model, a folder with its version folder in it as ONNX alone, and its card.

    It is made at the first call, in the user's cache folder, and again when the weights or the code changed.

    Args:
      name: Which; None for the one that is right most often.

    Raises:
      emotion_faces.errors.UsageError: There is none of that name; the error of those who ask for it.
      OSError: It cannot be written.
    """
    try:
        model = find_shipped(name)
    except UsageError as error:
        raise ServingUsageError(str(error)) from None
    base_dir = cache_dir() / f"onnx-{_fingerprint(model, 'emotion_pipeline.onnx_model')}"
    if not base_dir.is_dir():
        # Half a second of imports, for the first time alone.
        from emotion_pipeline.shipped.onnx_folder import write_onnx_folder

        with tempfile.TemporaryDirectory(dir=cache_dir(), prefix=".part-") as part:
            made = pathlib.Path(part, "model")
            write_onnx_folder(made, model)
            try:
                made.rename(base_dir)
            except OSError:
                if not base_dir.is_dir():  # else another process was faster, with the same model
                    raise
    return model.name, base_dir, model.card_file


def _fingerprint(model: ShippedModel, *packages: str) -> str:
    digest = hashlib.sha256(model.weights_file.read_bytes())
    for path in model.beside:
        digest.update(path.read_bytes())
    digest.update(repr(model.facts).encode())
    digest.update(code_fingerprint("emotion_pipeline.shipped", *packages).encode())
    return digest.hexdigest()[:16]
