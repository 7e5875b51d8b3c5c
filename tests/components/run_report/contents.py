"""Contents of pages, made by hand."""

import dataclasses
import hashlib
import pathlib

import numpy as np

from emotion_pipeline.components.anomaly_gate.anomalies import Anomaly
from emotion_pipeline.components.constants import SPLITS
from emotion_pipeline.components.image_findings.findings import Finding
from emotion_pipeline.components.image_findings.kinds import Kind
from emotion_pipeline.components.image_ingest.manifest import KEPT, PRUNED, Manifest, make_table
from emotion_pipeline.components.predictions import Predictions
from emotion_pipeline.components.run_report.changes import SettingChange, compare_answers
from emotion_pipeline.components.run_report.content import (
    ChangesContent,
    ComponentTime,
    DataContent,
    Level,
    Link,
    ModelContent,
    ReportContent,
    RunContent,
)
from emotion_pipeline.components.run_report.evaluation import ThresholdCheck
from emotion_pipeline.components.run_report.pictures import Picture, TranslatedCopies, data_uri
from emotion_pipeline.components.run_report.statistics import Histogram, SplitStatistics
from tests.components.pictures import encode, noise


def make_manifest(root: pathlib.Path, labels: list[str], per_class: int, size_px: int = 48):
    """Writes pictures of noise, `per_class` in train and one in eval, and returns their manifest."""
    rows = []
    for split in SPLITS:
        for label in labels:
            for index in range(per_class if split == "train" else 1):
                path = f"{split}/{label.replace('/', '_')}/{index}.jpg"
                data = encode(noise(index, size_px))
                (root / path).parent.mkdir(parents=True, exist_ok=True)
                (root / path).write_bytes(data)
                rows.append(row(path, split, label, hashlib.sha256(data).hexdigest()))
    rows.append(row("train/broken.jpg", "train", labels[0], "", PRUNED, "truncated"))
    return Manifest(make_table(rows), root, str(root))


def row(path, split, label, content_hash, status=KEPT, reason=""):
    text = {"format": "jpeg", "pixel_hash": content_hash, "perceptual_hash": "0" * 16}
    numbers = dict.fromkeys(("bytes", "width", "height", "channels"), 48)
    shares = dict.fromkeys(("brightness", "contrast", "sharpness", "entropy"), 0.5)
    return {
        **text, **numbers, **shares, "path": path, "split": split, "label": label,
        "content_hash": content_hash, "status": status, "reason": reason,
    }  # fmt: skip


def make_data(manifest: Manifest, groups_per_kind: int = 8) -> DataContent:
    """A finding of every kind, an anomaly, drift, statistics and copies, of the manifest's files."""
    kept = list(manifest.table["path"][manifest.table["status"] == KEPT])
    group = tuple(sorted(kept[:7]))
    histogram = Histogram((0.0, 0.5, 1.0), (0.5, 1.5))
    number = SplitStatistics(9, 0, 0.5, 0.1, 0.0, 0.5, 1.0, histogram=histogram)
    labels = sorted(set(manifest.table["label"]))
    text = SplitStatistics(
        9, 1, unique=len(labels[:20]), values=tuple((x, 0.1) for x in labels[:20])
    )
    picture = Picture(data_uri((manifest.root / kept[0]).read_bytes()), kept[0], "source")
    measurement = {
        "feature": "brightness", "measure": "JENSEN_SHANNON_DIVERGENCE", "value": 0.25,
        "threshold": 0.125, "chance": 0.0625, "exceeded": True, "short_description": "far apart",
        "long_description": "The distance is above the threshold.",
    }  # fmt: skip
    comparison = {
        "comparison": "train_vs_eval", "images": [90, 10], "compared": True,
        "measurements": [measurement],
    }  # fmt: skip
    return DataContent(
        manifest=manifest,
        findings=[
            Finding(kind.value, "report", (group,) * groups_per_kind, dropped=0) for kind in Kind
        ],
        statistics={"brightness": dict.fromkeys(SPLITS, number), "label": {"train": text}},
        anomalies=[Anomaly("train", "label", "Odd values", "What is odd.", group, "rename them")],
        drift=[comparison, {**comparison, "compared": False, "measurements": []}],
        class_counts={label: {"before": 1, "after": 9} for label in labels},
        copies=[TranslatedCopies(label, picture, (picture,) * 7) for label in labels[:12]],
    )


def make_model(labels: list[str]) -> ModelContent:
    """A model that is right in three of four images, and surer of the last class than it should be."""
    actual = np.arange(40 * len(labels)) % len(labels)
    predicted = np.where(np.arange(len(actual)) % 4 == 0, len(labels) - 1, actual)
    probabilities = np.full((len(actual), len(labels)), 0.1 / max(len(labels) - 1, 1), np.float32)
    probabilities[np.arange(len(actual)), predicted] = 0.9
    # Most people say the label, of every fifth image with less than six in ten.
    votes = np.zeros((len(actual), len(labels) + 1), np.float32)
    votes[np.arange(len(actual)), actual] = 5
    votes[:, -1] = np.where(np.arange(len(actual)) % 5 == 0, 4, 1)
    # Two of three are among the files of `make_manifest`.
    paths = np.array(
        [
            f"{('train', 'eval')[n % 2]}/{labels[a].replace('/', '_')}/{n}.jpg"
            for n, a in enumerate(actual)
        ]
    )
    history = [
        {"loss": 2.0, "accuracy": 0.25, "val_loss": 1.75, "val_accuracy": 0.375},
        {"loss": 1.0, "accuracy": 0.75, "val_loss": 1.5, "val_accuracy": 0.5},
    ]
    return ModelContent(
        training={
            "history": history, "best_epoch": 1, "epochs": 2, "precision": "float32",
            "resumed_at": [1],
            "calibration": {
                "temperature": 0.5, "pictures": 1400, "note": "train pictures that were kept out",
                "error_before": 0.5, "error": 0.25,
            },
            "train": {"accuracy": 0.875, "loss": 0.5, "macro_f1": 0.875},
        },
        predictions=Predictions(tuple(labels), actual, probabilities, votes, paths),
        checks=[
            ThresholdCheck("accuracy", "at least 0.4", 0.75, True),
            ThresholdCheck(
                "accuracy", "at most 0 below the blessed model's 0.8000", -0.05, False,
                "accuracy is 0.050 below version 7's 0.800",
            ),
        ],
        seed=1,
    )  # fmt: skip


def make_changes(model: ModelContent) -> ChangesContent:
    """Against a model that is right where this one is not sure of the last class."""
    probabilities = model.predictions.probabilities[:, ::-1]
    other = dataclasses.replace(model.predictions, probabilities=probabilities)
    return ChangesContent(
        models=[compare_answers("version 7, the model to beat", model.predictions, other)],
        since="run 3 of 29 Nov 2026, 10:00 UTC",
        settings=[SettingChange("train.epochs", 8, 2), SettingChange("seed", None, 1)],
        data=["train: 8 to 9 pictures (angry +1)"],
    )


def make_content(root: pathlib.Path, labels: list[str], per_class=3, size_px=48) -> ReportContent:
    """A page with every section."""
    model = make_model(labels)
    return ReportContent(
        title="A page",
        outcome="Not blessed",
        level=Level.BAD,
        data=make_data(make_manifest(root, labels, per_class, size_px)),
        model=model,
        run=RunContent(
            settings={"seed": 1, "root": "there", "train": {"epochs": 2}},
            versions={"python": "3.10"},
            components=[ComponentTime("Trainer", 65.0), ComponentTime("Pusher", 0.1, cached=True)],
            recipe="fast",
            recipe_settings={"seed": 1, "root": "here", "train": {"epochs": 8}},
        ),
        notes=["in the data: 1 group of equal pictures"],
        facts={"Started": "30 Nov 2026, 05:20 UTC", "Recipe": "fast"},
        links=[Link("summary", "reports/4/summary.json"), Link("log", "logs/a run.log")],
        changes=make_changes(model),
    )
