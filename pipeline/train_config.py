"""How the network is trained: the settings under `train`."""

import dataclasses
import math

from emotion_pipeline.settings import check, check_choice, check_fraction

NETWORKS = ("specified", "deep")
MAX_EPOCHS = 100_000
"""More is a slip of the keyboard: of FER2013's pictures it would be months."""
MAX_BATCH_SIZE = 65_536
"""All of FER2013's train pictures fit in one."""
NORMALIZE_METHODS = ("none", "equalize", "standardize")
LABEL_SOURCES = ("folder", "votes", "both")
BEST_EPOCH_BY = ("accuracy", "loss")


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
      best_epoch_by: Which epoch is kept: that of the best validation `accuracy`, or of the least `loss`, which
        varies less from one epoch to the next.
      early_stopping_patience: Epochs without a better one, by `best_epoch_by`, before the end; 0 is off.
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
    best_epoch_by: str = "accuracy"
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
        check_choice("train.best_epoch_by", self.best_epoch_by, BEST_EPOCH_BY)
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
