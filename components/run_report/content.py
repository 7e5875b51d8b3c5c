"""What a page is made from."""

import dataclasses
import enum
from collections.abc import Mapping, Sequence
from typing import Any

from emotion_pipeline.components.anomaly_gate.anomalies import Anomaly
from emotion_pipeline.components.constants import EVAL_SPLIT
from emotion_pipeline.components.image_findings.findings import Finding
from emotion_pipeline.components.image_ingest.manifest import Manifest
from emotion_pipeline.components.predictions import Predictions
from emotion_pipeline.components.run_report.changes import ModelChange, SettingChange
from emotion_pipeline.components.run_report.evaluation import ThresholdCheck
from emotion_pipeline.components.run_report.pictures import TranslatedCopies
from emotion_pipeline.components.run_report.statistics import SplitStatistics


@dataclasses.dataclass(frozen=True)
class DataContent:
    """What is known of the data; all but the manifest may be missing.

    Attributes:
      manifest: Every file found. Pictures are read from its root while the page is made.
      findings: Copies, leaks and the like; None where nobody looked for them.
      statistics: By feature and split, as `statistics.read_statistics` returns them.
      anomalies: How the data differs from its schema; None where it was not compared.
      drift: What DriftValidator wrote to `drift.json`; None where nothing was compared.
      class_counts: Per class the train images `before` and `after` balancing.
      copies: Pictures beside their translated copies.
    """

    manifest: Manifest
    findings: Sequence[Finding] | None = None
    statistics: Mapping[str, Mapping[str, SplitStatistics]] = dataclasses.field(
        default_factory=dict
    )
    anomalies: Sequence[Anomaly] | None = None
    drift: Sequence[Mapping[str, Any]] | None = None
    class_counts: Mapping[str, Mapping[str, int]] = dataclasses.field(default_factory=dict)
    copies: Sequence[TranslatedCopies] = ()


@dataclasses.dataclass(frozen=True)
class ModelContent:
    """What is known of a trained model.

    Attributes:
      training: What Trainer wrote to `training.json`.
      predictions: Its answers on the split that it was judged on.
      checks: The thresholds, and what the model reached.
      seed: Of the bootstrap.
      split: Name of the split that judged.
      judgement: How the model compares with the one that was served, in words.
      baseline: Version of the one that was served; empty where there was none.
      onnx_file: The model as ONNX, which is asked while the page is made why it is sure of its mistakes;
        empty leaves that out.
    """

    training: Mapping[str, Any]
    predictions: Predictions
    checks: Sequence[ThresholdCheck]
    seed: int
    split: str = EVAL_SPLIT
    judgement: str = ""
    baseline: str = ""
    onnx_file: str = ""


@dataclasses.dataclass(frozen=True)
class ComponentTime:
    """How long a component took; `cached` ones were taken over from an earlier run."""

    id: str
    seconds: float
    cached: bool = False
    complete: bool = True


@dataclasses.dataclass(frozen=True)
class RunContent:
    """How a run was made.

    Attributes:
      settings: The configuration, nested.
      versions: Of Python, the libraries and the machine, by name.
      components: In the order they ran; empty where the orchestrator does not say.
      recipe: Name of the recipe that the settings are nearest to; empty where nobody says.
      recipe_settings: That recipe's, nested.
    """

    settings: Mapping[str, Any]
    versions: Mapping[str, str]
    components: Sequence[ComponentTime] = ()
    recipe: str = ""
    recipe_settings: Mapping[str, Any] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class ChangesContent:
    """What a run has changed.

    Attributes:
      models: The model beside the one to beat, and beside that of an earlier run.
      since: The earlier run in words; empty where there is none.
      settings: Those that differ from the earlier run's.
      data: How the pictures differ from the earlier run's, a sentence for each split.
    """

    models: Sequence[ModelChange] = ()
    since: str = ""
    settings: Sequence[SettingChange] = ()
    data: Sequence[str] = ()


class Level(str, enum.Enum):
    """How good an outcome is; the value is the page's name for its colour."""

    GOOD = "good"
    WARNING = "warning"
    BAD = "bad"


@dataclasses.dataclass(frozen=True)
class Link:
    """A file or folder beside the page: what it is, and its posix path relative to the run's root."""

    title: str
    path: str


@dataclasses.dataclass(frozen=True)
class ReportContent:
    """One page.

    Attributes:
      title: Of the page: what it is of.
      outcome: How it ended, in a few words; further lines are shown as they are.
      level: Whether that is what the user wanted.
      data: What is known of the data.
      model: What is known of the model; None for a validation or a run that stopped before.
      run: How the run was made; None for a validation.
      notes: What has to be known beside the outcome: a model that learned nothing, faults in the data.
      facts: Which run this is, when it was and with what, by name.
      links: Files beside the page; they lead somewhere where the page lies in the run's root.
      changes: What is other than in an earlier run; None where there is nothing to compare with.
    """

    title: str
    outcome: str
    level: Level
    data: DataContent
    model: ModelContent | None = None
    run: RunContent | None = None
    notes: Sequence[str] = ()
    facts: Mapping[str, str] = dataclasses.field(default_factory=dict)
    links: Sequence[Link] = ()
    changes: ChangesContent | None = None
