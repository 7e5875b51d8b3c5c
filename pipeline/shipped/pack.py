"""Packs a trained model: `python -m emotion_pipeline.shipped.pack ROOT --version N --out DIR`."""

import argparse
import json
import pathlib
import shutil

from emotion_faces.model_folder import INT8_FILE, newest_version
from emotion_pipeline.components.records.calibration_record import Calibration
from emotion_pipeline.modules.pushed_models import ASSETS_EXTRA_DIR, KIND_FILE, LABELS_FILE
from emotion_pipeline.modules.warm_start import read_arrays
from emotion_pipeline.shipped.models import Facts
from emotion_pipeline.shipped.weights import pack


def main() -> None:
    """Reads a run's pushed model and summary, and writes weights, facts, and the model in 8 bits, if there is one."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("root", type=pathlib.Path, help="root of the run that pushed the model")
    parser.add_argument("--version", type=int, required=True, help="number to serve it under")
    parser.add_argument("--provenance", default="{}", help="JSON for the card")
    parser.add_argument(
        "--altered", type=pathlib.Path, help="JSON of benchmarks.training.robustness with the root"
    )
    parser.add_argument("--out", type=pathlib.Path, required=True, help="folder to write to")
    options = parser.parse_args()
    version_dir = newest_version(options.root / "pushed" / "emotion")
    extra = version_dir / ASSETS_EXTRA_DIR
    labels = (extra / LABELS_FILE).read_text(encoding="utf-8").splitlines()
    kind = json.loads((extra / KIND_FILE).read_text(encoding="utf-8"))
    summary = json.loads((options.root / "summary.json").read_text(encoding="utf-8"))
    metrics = summary["metrics"]
    if options.altered:
        altered = json.loads(options.altered.read_text(encoding="utf-8"))
        metrics["by_alteration"] = altered[str(options.root)]
    options.out.mkdir(parents=True, exist_ok=True)
    weights = pack(read_arrays(str(version_dir), kind["network"], len(labels)))
    (options.out / "weights.npz").write_bytes(weights)
    if (extra / INT8_FILE).is_file():
        shutil.copy(extra / INT8_FILE, options.out)
    Facts(
        version=options.version,
        labels=labels,
        network=kind["network"],
        normalize=kind["normalize"],
        flip=kind["flip"],
        metrics=metrics,
        provenance=json.loads(options.provenance),
        calibration=Calibration(**summary["training"].get("calibration", {})),
    ).write(options.out)
    print(f"{options.out}: {len(weights)} bytes of weights")


if __name__ == "__main__":
    main()
