"""Reads what a page shows from the artifacts of a run."""

import json
import os
import platform
from collections.abc import Mapping, Sequence
from typing import Any

from tfx.dsl.io import fileio
from tfx.utils import path_utils

from emotion_faces.model_folder import ONNX_FILE
from emotion_pipeline.components.anomaly_gate.anomalies import Anomaly
from emotion_pipeline.components.code_version import code_version
from emotion_pipeline.components.constants import TRAIN_SPLIT
from emotion_pipeline.components.image_findings.findings import read_findings
from emotion_pipeline.components.image_ingest.manifest import (
    Manifest,
    kept_rows,
    present_splits,
    read_manifest,
)
from emotion_pipeline.components.model_evaluator.judgement import describe
from emotion_pipeline.components.predictions import predict
from emotion_pipeline.components.records.answers_record import Answers, read_answers
from emotion_pipeline.components.records.run_records import ComponentRun
from emotion_pipeline.components.records.training_record import read_training
from emotion_pipeline.components.run_report.content import ComponentTime, DataContent, ModelContent
from emotion_pipeline.components.run_report.evaluation import judgement_of, read_checks
from emotion_pipeline.components.run_report.pictures import (
    TranslatedCopies,
    find_translated_copies,
    sample_rows,
)
from emotion_pipeline.components.run_report.statistics import read_statistics
from emotion_pipeline.components.versions import stack_versions

DRIFT_FILE = "drift.json"

_MAX_COPIES = 7
_MAX_CLASSES_WITH_COPIES = 12


def read_data(
    uris: Mapping[str, str],
    class_counts: Mapping[str, Mapping[str, int]] | None = None,
    anomalies: Sequence[Anomaly] | None = None,
) -> DataContent:
    """Reads the data's part from as many artifacts as there are.

    Args:
      uris: Folders of artifacts: `manifest`, and of `findings`, `statistics`, `drift` and
        `balanced_examples` those that exist.
      class_counts: What ClassBalancer recorded.
      anomalies: What stopped the run; empty where AnomalyGate let it go on, None where it did not
        come so far.
    """
    manifest = read_manifest(uris["manifest"])
    statistics = uris.get("statistics")
    findings = uris.get("findings")
    drift = uris.get("drift")
    balanced = uris.get("balanced_examples")
    return DataContent(
        manifest=manifest,
        findings=read_findings(findings) if findings else None,
        statistics=read_statistics(statistics, present_splits(manifest.table))
        if statistics
        else {},
        anomalies=anomalies,
        drift=_read_json(os.path.join(drift, DRIFT_FILE)) if drift else None,
        class_counts=class_counts or {},
        copies=_copies(manifest, balanced) if balanced else (),
    )


def read_model(uris: Mapping[str, str], answers: Answers, seed: int) -> ModelContent:
    """Reads the model's part.

    Args:
      uris: Folders of the artifacts `model`, `model_run` and `evaluation`.
      answers: The model's, for the split that it was judged on.
      seed: Of the bootstrap.
    """
    judgement = judgement_of(uris["evaluation"])
    return ModelContent(
        training=read_training(uris["model_run"]),
        predictions=answers.predictions,
        checks=read_checks(uris["evaluation"]),
        seed=seed,
        split=judgement.split,
        judgement=describe(judgement),
        baseline=judgement.baseline,
        onnx_file=_onnx_file(uris["model"]),
    )


def answers_of(uris: Mapping[str, str]) -> Answers:
    """Returns what the model answers for the split that it was judged on.

    Args:
      uris: Folders of the artifacts `model`, `evaluation` and `balanced_examples`. An evaluation that
        keeps no answers, as TFX's own Evaluator makes it, has the model run again.
    """
    kept = read_answers(uris["evaluation"])
    if kept is not None:
        return kept
    split = judgement_of(uris["evaluation"]).split
    return Answers(
        predict(
            path_utils.serving_model_path(uris["model"]),
            _split_pattern(uris["balanced_examples"], split),
        )
    )


def versions() -> dict[str, str]:
    """Returns the versions of Python, of the libraries that decide a result, and the machine's kind."""
    found = {"emotion-pipeline": code_version(), **stack_versions()}
    found["machine"] = f"{platform.system()} {platform.machine()}, {os.cpu_count()} CPUs"
    return found


def component_times(components: list[ComponentRun]) -> list[ComponentTime]:
    """Returns how long each component took that has ended."""
    return [ComponentTime(one.id, one.seconds, one.cached, one.complete) for one in components]


def _onnx_file(model_uri: str) -> str:
    """Returns where the model is as ONNX; empty where it is not, as another trainer's, or not on this machine."""
    path = os.path.join(path_utils.serving_model_path(model_uri), "assets.extra", ONNX_FILE)
    return path if os.path.isfile(path) else ""


def _copies(manifest: Manifest, balanced_uri: str) -> list[TranslatedCopies]:
    """Returns, for each class, the picture with the smallest hash, which has the most copies."""
    rows = kept_rows(manifest.table, TRAIN_SPLIT)
    labels = sorted(rows["label"].unique())[:_MAX_CLASSES_WITH_COPIES]
    sources = [sample_rows(rows[rows["label"] == label], 1)["path"].iloc[0] for label in labels]
    return find_translated_copies(_split_pattern(balanced_uri, TRAIN_SPLIT), sources, _MAX_COPIES)


def _split_pattern(uri: str, split: str) -> str:
    return os.path.join(uri, f"Split-{split}", "*")


def _read_json(path: str) -> Any:
    with fileio.open(path, "r") as file:
        return json.loads(file.read())
