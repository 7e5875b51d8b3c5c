"""What the steps of a run tell of themselves where no ML Metadata is at hand, as on Kubeflow."""

import json
import pathlib
from collections.abc import Mapping
from typing import Any

from ml_metadata.proto import metadata_store_pb2 as mlmd

from emotion_pipeline.components.records.run_records import ComponentRun
from emotion_pipeline.components.write_file import write_whole


def write_step(folder: pathlib.Path, step: ComponentRun) -> None:
    """Writes the record of a step that has ended, in place of one of an earlier try."""
    outputs = {
        key: [{"uri": one.uri, "properties": _plain(one)} for one in artifacts]
        for key, artifacts in step.outputs.items()
    }
    content = {"seconds": step.seconds, "complete": step.complete, "outputs": outputs}
    write_whole(folder / f"{step.id}.json", json.dumps(content, indent=1) + "\n")


def read_steps(folder: pathlib.Path) -> list[ComponentRun]:
    """Reads the records of the steps that have ended, in the order in which they did."""
    files = sorted(folder.glob("*.json"), key=lambda one: one.stat().st_mtime_ns)
    return [_read(file) for file in files]


def make_artifact(uri: str, properties: Mapping[str, Any]) -> mlmd.Artifact:
    """Returns an artifact of properties that are texts or numbers.

    Args:
      uri: Its folder; empty where nothing but the properties is known.
      properties: By name; whole numbers may be floats, as JSON has them.
    """
    artifact = mlmd.Artifact(uri=uri)
    for name, value in properties.items():
        if isinstance(value, str):
            artifact.custom_properties[name].string_value = value
        elif isinstance(value, int | float) and float(value).is_integer():
            artifact.custom_properties[name].int_value = int(value)
        elif isinstance(value, float):
            artifact.custom_properties[name].double_value = value
    return artifact


def _plain(artifact: mlmd.Artifact) -> dict[str, Any]:
    return {
        name: getattr(value, value.WhichOneof("value"))
        for name, value in artifact.custom_properties.items()
    }


def _read(file: pathlib.Path) -> ComponentRun:
    content = json.loads(file.read_text(encoding="utf-8"))
    return ComponentRun(
        id=file.stem,
        seconds=content["seconds"],
        cached=False,
        complete=content["complete"],
        outputs={
            key: [make_artifact(**one) for one in artifacts]
            for key, artifacts in content["outputs"].items()
        },
    )
