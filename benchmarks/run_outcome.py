"""Says what a run made, so that runs on different stacks or engines can be laid side by side.

    python -m benchmarks.run_outcome ROOT > one.json
    python -m benchmarks.run_outcome --compare one.json other.json

The first form takes a run's root. The second exits with 1 where counts, balanced Examples or the
verdict differ; metrics are only printed, since a trained network differs in its last digits.
"""

import argparse
import hashlib
import json
import pathlib
import platform
import sys
from importlib import metadata

EQUAL = ("images", "class_counts", "manifest", "balanced_examples", "verdict")
"""What has to be the same: the rest is told beside each other."""

_PACKAGES = ("tfx", "tensorflow", "apache-beam", "protobuf", "numpy", "pandas", "pyarrow")


def outcome(root: pathlib.Path) -> dict:
    """Returns what the latest run under a root made.

    Returns:
      `stack` (versions), `images` and `class_counts` as in the summary, `manifest` (a digest of the
      files' rows but for measured numbers), `balanced_examples` (by split the number of Examples and
      a digest of them in any order), `verdict` (status and blessing), `metrics` and `seconds`.
    """
    from emotion_pipeline.components.image_ingest.manifest import read_manifest
    from emotion_pipeline.components.records.run_records import output

    summary = json.loads((root / "summary.json").read_text(encoding="utf-8"))
    components = latest_components(root)
    manifest = read_manifest(output(components, "ImageIngest", "manifest").uri).table
    discrete = manifest.select_dtypes(exclude="floating")
    balanced = pathlib.Path(output(components, "ClassBalancer", "balanced_examples").uri)
    return {
        "stack": {
            "python": platform.python_version(),
            "libc": " ".join(platform.libc_ver()),
            **{package: metadata.version(package) for package in _PACKAGES},
        },
        "images": summary["images"],
        "class_counts": summary["class_counts"],
        "manifest": _digest(
            json.dumps(row).encode() for row in discrete.to_numpy(dtype=object).tolist()
        ),
        "balanced_examples": _digests(balanced),
        "verdict": {key: summary[key] for key in ("status", "blessed")},
        "metrics": {key: summary["metrics"].get(key) for key in ("accuracy", "macro_f1", "loss")},
        "seconds": round(summary["seconds"], 1),
    }


def latest_components(root: pathlib.Path) -> list:
    """Returns the `ComponentRun`s of the latest run under a root."""
    from emotion_pipeline.components.records.run_records import latest_run
    from emotion_pipeline.local_runner import metadata_connection
    from emotion_pipeline.pipeline import PIPELINE_NAME

    return latest_run(metadata_connection(root), PIPELINE_NAME)


def split_of(root: pathlib.Path, name: str):
    """Returns a split of the latest run under a root as its Trainer read it, a Split."""
    import tensorflow_transform as tft

    from emotion_pipeline.components.records.run_records import output
    from emotion_pipeline.modules.training_data import load_split

    run = latest_components(root)
    examples = output(run, "ClassBalancer", "balanced_examples").uri
    graph = output(run, "Transform", "transform_graph").uri
    return load_split([f"{examples}/Split-{name}/*"], tft.TFTransformOutput(graph))


def _digests(examples_dir: pathlib.Path) -> dict[str, str]:
    import tensorflow as tf

    digests = {}
    for split_dir in sorted(examples_dir.glob("Split-*")):
        files = sorted(str(path) for path in split_dir.iterdir())
        records = list(tf.data.TFRecordDataset(files).as_numpy_iterator())
        digests[split_dir.name] = f"{len(records)} {_digest(records)}"
    return digests


def _digest(parts) -> str:
    whole = hashlib.sha256()
    for digest in sorted(hashlib.sha256(part).digest() for part in parts):
        whole.update(digest)
    return whole.hexdigest()[:16]


def compare(one: dict, other: dict) -> list[str]:
    """Prints two outcomes beside each other; returns which of `EQUAL` differ."""
    for key in one:
        if key in EQUAL:
            print(f"{key}: {'the same' if one[key] == other[key] else 'DIFFERENT'}")
        if key not in EQUAL or one[key] != other[key]:
            print(f"  {json.dumps(one[key])}\n  {json.dumps(other[key])}")
    return [key for key in EQUAL if one[key] != other[key]]


def main() -> int:
    """Tells one outcome, or compares two; returns the exit status."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("root", type=pathlib.Path, nargs="?")
    parser.add_argument("--compare", type=pathlib.Path, nargs=2, metavar="FILE.json")
    options = parser.parse_args()
    if options.compare:
        one, other = (json.loads(path.read_text(encoding="utf-8")) for path in options.compare)
        return 1 if compare(one, other) else 0
    if options.root is None:
        parser.error("give a run's root, or --compare and two files")
    print(json.dumps(outcome(options.root.resolve()), indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
