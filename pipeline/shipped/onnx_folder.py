"""Writes a shipped model as ONNX, with what travels beside it; needs neither TensorFlow nor TFX."""

import json
import pathlib
import shutil

from emotion_faces.model_folder import ONNX_FILE
from emotion_pipeline.onnx_model.model import make_onnx
from emotion_pipeline.shipped.models import ShippedModel
from emotion_pipeline.shipped.weights import unpack


def write_onnx_folder(base_dir: pathlib.Path, model: ShippedModel) -> pathlib.Path:
    """Writes `<base_dir>/<version>/assets.extra` as beside a pushed SavedModel, without the SavedModel.

    Returns:
      The version folder.
    """
    facts = model.facts
    version_dir = base_dir / str(facts.version)
    extra = version_dir / "assets.extra"
    extra.mkdir(parents=True)
    file = make_onnx(unpack(model.weights_file), facts.labels, **facts.kind)
    (extra / ONNX_FILE).write_bytes(file)
    (extra / "labels.txt").write_text("".join(f"{name}\n" for name in facts.labels), "utf-8")
    (extra / "metrics.json").write_text(json.dumps(facts.metrics, indent=1), "utf-8")
    (extra / "network.json").write_text(json.dumps(facts.kind, indent=1), "utf-8")
    for beside in model.beside:
        shutil.copy(beside, extra)
    return version_dir
