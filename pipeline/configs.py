"""Every setting of a run, with its default."""

import dataclasses
import math
import pathlib
import re
import unicodedata
from collections.abc import Mapping
from typing import Any

from emotion_pipeline.components.constants import LABELS
from emotion_pipeline.components.image_findings.policies import (
    DEFAULT_POLICIES,
    FAIL,
    POLICIES,
    REPORT,
)
from emotion_pipeline.components.image_ingest.vote_columns import VoteColumns
from emotion_pipeline.engines.secrets import check_form, check_no_secret
from emotion_pipeline.settings import check, check_choice, check_fraction

_PACKAGE_DIR = pathlib.Path(__file__).parent

NETWORKS = ("specified", "deep")
MAX_EPOCHS = 100_000
"""More is a slip of the keyboard: of FER2013's pictures it would be months."""
MAX_BATCH_SIZE = 65_536
"""All of FER2013's train pictures fit in one."""
NORMALIZE_METHODS = ("none", "equalize", "standardize")
LABEL_SOURCES = ("folder", "votes", "both")


@dataclasses.dataclass(frozen=True)
class TrainConfig:
    """How the network is trained; the defaults are the original method, and nothing else.

    Attributes:
      network: `specified`, or `deep`, a residual network for the same pictures.
      normalize: What is done to the light of every picture, in training and in the served model:
        `none`, `equalize` (its histogram) or `standardize` (its mean and standard deviation).
      label_source: What is learned: the `folder`'s label, the `votes` of several people as a
        distribution, or `both`, mixed. A picture without votes has its folder's label.
      folder_share: With `both`, the share of the mixture that is of the folder's label, in [0, 1].
      teachers: Folders of pushed models. The mean of their answers for the very same changed picture is
        learned beside the label: distillation, arXiv:1503.02531.
      teacher_weight: Share of the loss that is of the teachers' answers, in [0, 1].
      teacher_temperature: The answers of teachers and network are softened by it before they are
        compared, at least 1; that part of the loss is multiplied by its square, as in that paper.
      warm_start: A folder of pushed models, or one of them: the training begins with its weights, as
        TFX's Trainer does with a base model. Empty begins with random ones.
      epochs: Passes over the balanced train split.
      batch_size: Images a step.
      learning_rate: Of Adam, at its peak.
      schedule: `constant`, or `cosine` down to zero at the last step.
      warmup_epochs: Epochs of a linear rise to `learning_rate`, which a shorter training does not reach.
      weight_decay: Decoupled (AdamW); 0 is plain Adam.
      label_smoothing: Share of each label that is spread over all classes, in [0, 1).
      dropout_steps: `[share, rate]` pairs: once that share of the epochs is done, all four dropout
        layers have that rate. The specification is one pair, `[0, 0.5]`.
      batch_norm_momentum: Of the moving averages of batch normalisation. Keras's own 0.99 needs some
        hundred steps before the statistics are those of the data; small data wants less.
      flip: Whether images are mirrored at random.
      rotation_degrees: Largest rotation either way.
      zoom: Largest relative change of size either way, in [0, 1); 0.05 is 5 %.
      shift_px: Largest shift along either axis, in pixels.
      brightness: Largest change of brightness either way, on the scale of the pixels, in [0, 1).
      gamma: Largest gamma as a power of two, either way: 1 is from 0.5 to 2; 0 leaves it out.
      contrast: Largest relative change of contrast either way, in [0, 1).
      equalize_share: Share of the pictures whose histogram is equalised, in [0, 1].
      blur_share: Share of the batches' pictures that are made smaller and enlarged again, in [0, 1].
      blur_min_px: The smallest size that they are made, in pixels; 24 is a face seen at half the size.
      jpeg_share: Share of the pictures that are compressed once more, in [0, 1].
      jpeg_min_quality: The worst quality of that, from 1 to 100.
      erase_share: Share of the pictures in which a rectangle of noise covers a part, in [0, 1].
      mixup: Alpha of mixup: another image of the batch, and its label, is laid over each with the
        smaller of two shares drawn from Beta(alpha, alpha); 0 leaves it out.
      class_weight_power: The loss of a class is weighted by the inverse of its share to this power, in
        [0, 1]: 0 leaves every image equal, 1 every class, and 0.5 is half-way.
      averaging_decay: Decay a step of the exponential moving average of the weights that is
        evaluated and served; 0 leaves it out.
      early_stopping_patience: Epochs without a better validation accuracy before the end; 0 is off.
      precision: `float32`, `bfloat16`, or `auto`: bfloat16 where the machine is fast at it.
      distribution: `one` device, `mirrored` over all GPUs of the machine (or its logical CPUs), or
        `auto`: mirrored where there is more than one GPU. Each device normalises its part of a batch
        by that part's own statistics.
      flip_at_serving: Whether the served answer is the mean over an image and its mirror image.
      prior_correction: How far, in [0, 1], the mean answer for each class is brought from what was learned to the
        share of the train pictures that are in its folder, by the last layer's bias: prior correction,
        arXiv:2007.07314. People's votes and balanced classes teach other shares.
      calibration_share: Share of each class's train pictures that is kept out of the training, with all
        copies, to fit the temperature of the served answers on, in [0, 0.5): calibration,
        arXiv:1706.04599. 0 fits none; so does a share of fewer than 200 pictures, and none are kept out.
      int8: Whether the model is also written in 8 bits, as `assets.extra/model.int8.onnx`, where that costs less
        than half a point of accuracy on the eval split.
    """

    network: str = "specified"
    normalize: str = "none"
    label_source: str = "folder"
    folder_share: float = 0.5
    teachers: tuple[str, ...] = ()
    teacher_weight: float = 0.5
    teacher_temperature: float = 2.0
    warm_start: str = ""
    epochs: int = 100
    batch_size: int = 128
    learning_rate: float = 1e-3
    schedule: str = "constant"
    warmup_epochs: float = 0.0
    weight_decay: float = 0.0
    label_smoothing: float = 0.0
    dropout_steps: tuple[tuple[float, float], ...] = ((0.0, 0.5),)
    batch_norm_momentum: float = 0.99
    flip: bool = False
    rotation_degrees: float = 0.0
    zoom: float = 0.0
    shift_px: float = 0.0
    brightness: float = 0.0
    gamma: float = 0.0
    contrast: float = 0.0
    equalize_share: float = 0.0
    blur_share: float = 0.0
    blur_min_px: int = 20
    jpeg_share: float = 0.0
    jpeg_min_quality: int = 30
    erase_share: float = 0.0
    mixup: float = 0.0
    class_weight_power: float = 0.0
    averaging_decay: float = 0.0
    early_stopping_patience: int = 0
    precision: str = "auto"
    distribution: str = "auto"
    flip_at_serving: bool = False
    prior_correction: float = 0.0
    calibration_share: float = 0.0
    int8: bool = False

    def __post_init__(self) -> None:
        """Checks ranges; raises UserError."""
        epochs, size = self.epochs, self.batch_size
        check(1 <= epochs <= MAX_EPOCHS, "train.epochs", epochs, f"from 1 to {MAX_EPOCHS}")
        check(1 <= size <= MAX_BATCH_SIZE, "train.batch_size", size, f"from 1 to {MAX_BATCH_SIZE}")
        rate = self.learning_rate
        check(0 < rate < math.inf, "train.learning_rate", rate, "above 0, and finite")
        check_choice("train.network", self.network, NETWORKS)
        check_choice("train.normalize", self.normalize, NORMALIZE_METHODS)
        check_choice("train.label_source", self.label_source, LABEL_SOURCES)
        check_choice("train.schedule", self.schedule, ("constant", "cosine"))
        check_choice("train.precision", self.precision, ("auto", "float32", "bfloat16"))
        check_choice("train.distribution", self.distribution, ("auto", "one", "mirrored"))
        for name in (
            "class_weight_power",
            "folder_share",
            "prior_correction",
            "teacher_weight",
            "equalize_share",
            "blur_share",
            "jpeg_share",
            "erase_share",
        ):
            check(0 <= getattr(self, name) <= 1, f"train.{name}", getattr(self, name), "in [0, 1]")
        temperature = self.teacher_temperature
        check(1 <= temperature <= 20, "train.teacher_temperature", temperature, "from 1 to 20")
        check(4 <= self.blur_min_px < 48, "train.blur_min_px", self.blur_min_px, "from 4 to 47")
        quality = self.jpeg_min_quality
        check(1 <= quality <= 100, "train.jpeg_min_quality", quality, "from 1 to 100")
        share = self.calibration_share
        check(0 <= share < 0.5, "train.calibration_share", share, "in [0, 0.5)")
        check(0 <= self.gamma <= 3, "train.gamma", self.gamma, "from 0 to 3")
        check(all(self.teachers), "train.teachers", self.teachers, "folders of pushed models")
        for name in (
            "warmup_epochs",
            "weight_decay",
            "rotation_degrees",
            "shift_px",
            "mixup",
            "early_stopping_patience",
        ):
            value = getattr(self, name)
            check(0 <= value < math.inf, f"train.{name}", value, "at least 0, and finite")
        for name in (
            "label_smoothing",
            "zoom",
            "brightness",
            "contrast",
            "averaging_decay",
            "batch_norm_momentum",
        ):
            check_fraction(f"train.{name}", getattr(self, name))
        check(
            bool(self.dropout_steps)
            and self.dropout_steps[0][0] == 0
            and list(self.dropout_steps) == sorted(self.dropout_steps)
            and all(0 <= share < 1 and 0 <= rate < 1 for share, rate in self.dropout_steps),
            "train.dropout_steps",
            self.dropout_steps,
            "[share, rate] pairs in [0, 1), the first share 0 and each above the one before",
        )

    @property
    def is_open_ended(self) -> bool:
        """Whether a longer training begins as a shorter one: nothing changes at a share of the epochs."""
        return self.schedule == "constant" and len(self.dropout_steps) == 1


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

    cross_split_copies: str = DEFAULT_POLICIES["cross_split_copies"]
    cross_split_near_copies: str = DEFAULT_POLICIES["cross_split_near_copies"]
    conflicting_labels: str = DEFAULT_POLICIES["conflicting_labels"]
    conflicting_near_labels: str = DEFAULT_POLICIES["conflicting_near_labels"]
    exact_copies: str = DEFAULT_POLICIES["exact_copies"]
    near_copies: str = DEFAULT_POLICIES["near_copies"]
    uninformative: str = DEFAULT_POLICIES["uninformative"]
    drift: str = REPORT

    def __post_init__(self) -> None:
        """Checks choices; raises UserError."""
        for kind, policy in self.policies.items():
            check_choice(f"findings.{kind}", policy, POLICIES)
        check_choice("findings.drift", self.drift, (REPORT, FAIL))

    @property
    def policies(self) -> dict[str, str]:
        """The policy of each kind of finding."""
        return {kind: getattr(self, kind) for kind in DEFAULT_POLICIES}


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
    train: TrainConfig = TrainConfig()
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


RECIPES: dict[str, dict[str, Any]] = {
    "original": {},
    "fast": {
        "train": {
            "epochs": 8,
            "batch_size": 64,
            "schedule": "cosine",
            "dropout_steps": [[0, 0.0], [0.375, 0.25], [0.75, 0.5]],
            "batch_norm_momentum": 0.9,
            "flip": True,
        }
    },
    "best": {
        "balance": "none",
        "train": {
            "epochs": 60,
            "batch_size": 64,
            "normalize": "equalize",
            "learning_rate": 1e-3,
            "schedule": "cosine",
            "warmup_epochs": 0.5,
            "weight_decay": 0.2,
            "label_smoothing": 0.05,
            "dropout_steps": [[0, 0.0], [0.2, 0.1], [0.5, 0.2], [0.8, 0.3], [0.93, 0.5]],
            "batch_norm_momentum": 0.9,
            "flip": True,
            "rotation_degrees": 12.0,
            "zoom": 0.12,
            "shift_px": 4.0,
            # Half-way between counting pictures and counting classes: disgust is 1 picture in 65.
            "class_weight_power": 0.5,
            "averaging_decay": 0.999,
            "flip_at_serving": True,
            "calibration_share": 0.05,
        },
    },
    "deep": {
        "balance": "none",
        "train": {
            "network": "deep",
            "normalize": "equalize",
            "epochs": 60,
            "batch_size": 64,
            "learning_rate": 1e-3,
            "schedule": "cosine",
            "warmup_epochs": 0.5,
            "weight_decay": 0.1,
            "dropout_steps": [[0, 0.3]],
            "batch_norm_momentum": 0.9,
            "flip": True,
            "rotation_degrees": 10.0,
            "zoom": 0.12,
            "shift_px": 4.0,
            "blur_share": 0.25,
            "jpeg_share": 0.2,
            "erase_share": 0.25,
            "averaging_decay": 0.999,
            "flip_at_serving": True,
            "calibration_share": 0.05,
            "int8": True,
        },
    },
}
"""Named settings, each over the defaults of PipelineConfig: `original` is the method as published,
`fast` a first look in minutes, `best` ours; these train the specified layers, `deep` a deeper network."""
