"""Every setting of a run, with its default."""

import dataclasses
import pathlib
import re
import unicodedata
from collections.abc import Mapping

from emotion_pipeline.components.constants import LABELS
from emotion_pipeline.components.image_findings.kinds import FAIL, POLICIES, REPORT, Kind
from emotion_pipeline.components.image_ingest.vote_columns import VoteColumns
from emotion_pipeline.engines.secrets import check_form, check_no_secret
from emotion_pipeline.settings import check, check_choice, check_fraction
from emotion_pipeline.train_config import TrainConfig

_PACKAGE_DIR = pathlib.Path(__file__).parent


@dataclasses.dataclass(frozen=True)
class ThresholdConfig:
    """What a model must reach to be blessed.

    Attributes:
      accuracy: Lower bound of the accuracy on the split that judges: test where the data has it,
        else eval.
      macro_f1: Lower bound of the unweighted mean over classes of F1 on that split.
      max_accuracy_drop: How much lower than the served model's the accuracy may be, on the same
        pictures.
      confidence: The model fails where these pictures say, with this confidence, that its accuracy
        is lower by more than that. 0.95 lets one in ten to twenty equally good models fail.
    """

    accuracy: float = 0.4
    macro_f1: float = 0.3
    max_accuracy_drop: float = 0.0
    confidence: float = 0.95

    def __post_init__(self) -> None:
        """Checks ranges; raises UserError."""
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            check(0 <= value <= 1, f"thresholds.{field.name}", value, "in [0, 1]")
        check(0.5 < self.confidence < 1, "thresholds.confidence", self.confidence, "in (0.5, 1)")


RUNNERS = ("local", "flink", "spark", "dataflow", "portable")
"""Where Beam's pipelines run: in this process, or on an engine."""


@dataclasses.dataclass(frozen=True)
class BeamConfig:
    """Where the Beam steps run.

    Attributes:
      runner: `local` is this process, `portable` any Beam job server that already runs.
      flink_master: `HOST:PORT` of the JobManager's REST interface.
      spark_master: `spark://HOST:PORT`.
      job_endpoint: `HOST:PORT` of a Beam job server; where it is empty, a run on Flink or Spark
        starts one of its own.
      worker_pool: `HOST:PORT` of Beam's worker pool as the engine's workers see it.
      worker_image: Image of the workers, for Dataflow.
      parallelism: Parts that a Flink job is cut into; 0 is the number of slots.
      check_secs: How long a small job may take that asks the workers, before the run, whether they
        can do the work; 0 leaves it out.
      args: Further arguments of Beam's pipelines; they come last, so they win. A secret is refused;
        `--key=env:NAME` has the value of an environment variable.
    """

    runner: str = "local"
    flink_master: str = ""
    spark_master: str = ""
    job_endpoint: str = ""
    worker_pool: str = "localhost:50000"
    worker_image: str = ""
    parallelism: int = 0
    check_secs: int = 50
    args: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Checks that the runner has what it needs; raises UserError."""
        check_choice("beam.runner", self.runner, RUNNERS)
        check(self.parallelism >= 0, "beam.parallelism", self.parallelism, "at least 0")
        check(self.check_secs >= 0, "beam.check_secs", self.check_secs, "at least 0")
        for runner, key, expected in (
            ("flink", "flink_master", "HOST:PORT of the JobManager (--flink-master)"),
            ("spark", "spark_master", "spark://HOST:PORT (--spark-master)"),
            ("portable", "job_endpoint", "HOST:PORT of a Beam job server (--job-endpoint)"),
        ):
            value = getattr(self, key)
            check(
                self.runner != runner or bool(value),
                f"beam.{key}",
                value,
                f"{expected} on {runner}",
            )
        for argument in self.args:
            check_form(argument)
            check_no_secret(argument)


@dataclasses.dataclass(frozen=True)
class FindingsConfig:
    """What is done about what the audit of the pictures finds: `report`, `drop` or `fail`.

    `report` records it, `drop` also prunes the pictures from train (never from eval or test), and `fail`
    stops the run.

    Attributes:
      cross_split_copies: Train pictures that are also in eval or test, pixel by pixel.
      cross_split_near_copies: Train pictures that are nearly the same as one in eval or test.
      conflicting_labels: One picture in two classes; of these, `drop` leaves none in train.
      conflicting_near_labels: The same of nearly the same pictures.
      exact_copies: Equal pictures; `drop` leaves one of each class in train.
      near_copies: Nearly the same pictures; `drop` leaves one of each class in train.
      uninformative: Pictures of one gray; a dark or bright one with detail is none of them.
      drift: Distances above the schema's thresholds, between train and eval and to an earlier run;
        `report` or `fail`.
    """

    cross_split_copies: str = Kind.CROSS_SPLIT_COPIES.default
    cross_split_near_copies: str = Kind.CROSS_SPLIT_NEAR_COPIES.default
    conflicting_labels: str = Kind.CONFLICTING_LABELS.default
    conflicting_near_labels: str = Kind.CONFLICTING_NEAR_LABELS.default
    exact_copies: str = Kind.EXACT_COPIES.default
    near_copies: str = Kind.NEAR_COPIES.default
    uninformative: str = Kind.UNINFORMATIVE.default
    drift: str = REPORT

    def __post_init__(self) -> None:
        """Checks choices; raises UserError."""
        for kind, policy in self.policies.items():
            check_choice(f"findings.{kind}", policy, POLICIES)
        check_choice("findings.drift", self.drift, (REPORT, FAIL))

    @property
    def policies(self) -> dict[str, str]:
        """The policy of each kind of finding."""
        return {
            field.name: getattr(self, field.name)
            for field in dataclasses.fields(self)
            if field.name != "drift"
        }


@dataclasses.dataclass(frozen=True)
class PipelineConfig:
    """One run of the pipeline.

    Attributes:
      data: SOURCE: a folder, an archive, a table of pixels, `kaggle:OWNER/NAME` or its URL, or
        `sample`.
      root: Folder of everything that the pipeline writes.
      artifacts_dir: Where the components' outputs go; empty is `<root>/artifacts`. Workers on other
        machines must read and write there, and read `data`.
      push_dir: Where blessed models go, a version folder each; empty is `<root>/pushed/<model_name>`.
      model_name: Name of the served model.
      labels: Class names in the order of the model's outputs.
      class_names: Name of a class folder -> the class that its pictures belong to, for folders that
        have another name than their class: `{happiness: happy, "3": fear}`.
      votes: A CSV of several people's votes on the pictures; empty for none.
      votes_columns: What its columns mean.
      schema: The schema file; empty is the curated one.
      eval_fraction: Share of each class's images that becomes the eval split where the source has one
        tree. Copies and near copies stay together.
      group_by: A regular expression for the paths there: images with the same match, of a person or
        a film, stay together too. Empty for none.
      max_pruned_fraction: A run stops when more than this share of the images is unusable.
      max_dropped_fraction: A run stops when the audit drops more than this share of the train images.
      against: Folder or file of the statistics of an earlier run, to compare with; empty for none.
      balance: `translate` or `none`.
      max_shift_px: Largest shift of a translated copy along either axis, in pixels.
      seed: Seeds everything that is drawn.
      cache: Whether finished components are taken over from earlier runs.
      beam: Where the Beam steps run.
      findings: What is done about copies, leaks, conflicting labels and empty pictures.
      train: How the network is trained.
      thresholds: What a model must reach.
    """

    data: str = "sample"
    root: str = "runs/sample"
    artifacts_dir: str = ""
    push_dir: str = ""
    model_name: str = "emotion"
    labels: tuple[str, ...] = LABELS
    class_names: Mapping[str, str] = dataclasses.field(default_factory=dict)
    votes: str = ""
    votes_columns: VoteColumns = dataclasses.field(default_factory=VoteColumns)
    schema: str = ""
    eval_fraction: float = 0.2
    group_by: str = ""
    max_pruned_fraction: float = 0.1
    max_dropped_fraction: float = 0.25
    against: str = ""
    balance: str = "translate"
    max_shift_px: int = 4
    seed: int = 1
    cache: bool = True
    beam: BeamConfig = BeamConfig()
    findings: FindingsConfig = FindingsConfig()
    train: TrainConfig = dataclasses.field(default_factory=TrainConfig)
    thresholds: ThresholdConfig = ThresholdConfig()

    def __post_init__(self) -> None:
        """Checks ranges; raises UserError."""
        check(bool(self.data.strip()), "data", self.data, "a source (--data), and not empty")
        check(bool(self.root.strip()), "root", self.root, "a folder (--root), and not empty")
        check(
            re.fullmatch(r"\w[\w.-]*", self.model_name) is not None,
            "model_name",
            self.model_name,
            "letters, digits, '_', '-' and '.', with no '.' or '-' first: it becomes a folder's name",
        )
        check(0 <= self.seed < 2**32, "seed", self.seed, "from 0 to 4294967295 (2^32 - 1)")
        check_choice("balance", self.balance, ("translate", "none"))
        check(1 <= self.max_shift_px <= 47, "max_shift_px", self.max_shift_px, "from 1 to 47")
        check(0 < self.eval_fraction < 1, "eval_fraction", self.eval_fraction, "in (0, 1)")
        check_fraction("max_pruned_fraction", self.max_pruned_fraction)
        source = self.train.label_source
        check(
            source == "folder" or bool(self.votes),
            "train.label_source",
            source,
            "folder where there are no votes (--votes)",
        )
        dropped = self.max_dropped_fraction
        check(0 <= dropped <= 1, "max_dropped_fraction", dropped, "in [0, 1]")
        try:
            re.compile(self.group_by)
        except re.error as error:
            check(False, "group_by", self.group_by, f"a regular expression ({error})")
        check(
            len(self.labels) >= 2 and len(set(self.labels)) == len(self.labels),
            "labels",
            self.labels,
            "at least two different class names",
        )
        for label in (*self.labels, *self.class_names.values()):
            check(
                bool(label.strip()) and label.isprintable(),
                "labels",
                label,
                "class names in one line each, and not empty",
            )
        # As ImageIngest spells the names of folders: macOS stores another form that looks alike.
        composed = tuple(unicodedata.normalize("NFC", label) for label in self.labels)
        object.__setattr__(self, "labels", composed)
        if self.votes:
            self.votes_columns.by_class(self.labels)

    @property
    def schema_path(self) -> str:
        """The schema file in use."""
        return self.schema or str(_PACKAGE_DIR / "schema" / "schema.pbtxt")

    @property
    def artifacts_path(self) -> str:
        """TFX's pipeline root."""
        return self.artifacts_dir or str(pathlib.Path(self.root) / "artifacts")

    @property
    def push_path(self) -> str:
        """The folder of version folders that a model server watches."""
        return self.push_dir or str(pathlib.Path(self.root) / "pushed" / self.model_name)
