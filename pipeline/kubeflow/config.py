"""Where and with what the pipeline runs on Kubeflow, each with its default."""

import dataclasses
import pathlib
import re
from collections.abc import Mapping
from typing import Any

from emotion_pipeline.components.errors import UserError
from emotion_pipeline.configs import PipelineConfig
from emotion_pipeline.settings import check

DATA_DIR = "/mnt/data"
"""Where the data volume is mounted: the pictures, and the pipeline's own copies and checkpoints."""

MODELS_DIR = "/mnt/models"
"""Where the volume is mounted that models are pushed to."""

VERTEX_DIR = "/gcs/"
"""Where Vertex AI mounts the buckets of Cloud Storage in every container."""

_SCHEMES = ("minio://", "s3://", "gs://")

_PATH = r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
_IMAGE = re.compile(
    rf"(?:[A-Za-z0-9.-]+(?::\d+)?/)?{_PATH}(?:/{_PATH})*"
    r"(?::[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?(?:@sha256:[0-9a-f]{64})?"
)
"""What a container image may be called, by the grammar of the Distribution project's references."""


@dataclasses.dataclass(frozen=True)
class Resources:
    """What a step's container asks for, and may use at most.

    Attributes:
      cpus: Requested, in cores; it may use more where there are.
      memory_gb: Requested and the limit, in units of 10^9 bytes.
      gpus: Number of GPUs.
    """

    cpus: float = 1.0
    memory_gb: float = 4.0
    gpus: int = 0

    def __post_init__(self):
        """Checks ranges; raises UserError."""
        check(self.cpus > 0, "cpus", self.cpus, "above 0")
        check(self.memory_gb > 0, "memory", self.memory_gb, "above 0")
        check(self.gpus >= 0, "gpus", self.gpus, "0 or more")

    def to_spec(self, gpu_type: str) -> dict[str, Any]:
        """Returns the ResourceSpec message as JSON has it."""
        spec: dict[str, Any] = {
            "cpuRequest": self.cpus,
            "memoryRequest": self.memory_gb,
            "memoryLimit": self.memory_gb,
        }
        if self.gpus:
            spec["accelerator"] = {"type": gpu_type, "count": str(self.gpus)}
        return spec


@dataclasses.dataclass(frozen=True)
class KubeflowConfig:
    """Where and with what the pipeline runs.

    Attributes:
      image: The image of every step, as the Dockerfile builds it.
      pipeline_root: Folder of the artifacts in an object store.
      data_claim: PersistentVolumeClaim mounted at `DATA_DIR` in every step; empty is none.
      models_claim: PersistentVolumeClaim mounted at `MODELS_DIR` in every step; empty is none.
      kaggle_secret: Secret with the keys `username` and `key`, given to the steps that read no
        artifact, of which one downloads; empty is none.
      resources: Of a step that `step_resources` does not name.
      step_resources: By the step's name.
      gpu_type: What a GPU is called: Kubernetes' name of the resource, or Vertex AI's of the model.
      parameters: Settings that are runtime parameters besides `parameters.DEFAULT_PARAMETERS`.
      restricted: Whether the steps say that they do not run as root, as Pod Security's `restricted` demands;
        Kubeflow Pipelines that do not know the field refuse the package.
      vertex: Whether it is for Vertex AI: artifacts in Cloud Storage, no volumes, no secrets.
    """

    image: str = "emotion-pipeline:0.1.0"
    pipeline_root: str = "minio://mlpipeline/v2/artifacts/emotion"
    data_claim: str = "emotion-data"
    models_claim: str = "emotion-models"
    kaggle_secret: str = ""
    resources: Resources = Resources()
    step_resources: Mapping[str, Resources] = dataclasses.field(
        default_factory=lambda: {"Trainer": Resources(cpus=4.0, memory_gb=8.0)}
    )
    gpu_type: str = "nvidia.com/gpu"
    parameters: tuple[str, ...] = ()
    restricted: bool = False
    vertex: bool = False

    def __post_init__(self):
        """Checks texts, and what Vertex AI lacks; raises UserError."""
        check(
            _IMAGE.fullmatch(self.image) is not None,
            "--image",
            self.image,
            "the name of an image, such as registry/emotion-pipeline:0.1.0",
        )
        check(
            self.pipeline_root.startswith(_SCHEMES)
            and bool(self.pipeline_root.split("://")[1].strip("/")),
            "--pipeline-root",
            self.pipeline_root,
            f"a folder in an object store ({', '.join(_SCHEMES)})",
        )
        if self.vertex:
            self._check_vertex()

    def _check_vertex(self) -> None:
        is_there = self.pipeline_root.startswith("gs://")
        check(is_there, "--pipeline-root", self.pipeline_root, "gs://BUCKET/FOLDER with --vertex")
        for name, value in (
            ("--data-claim", self.data_claim),
            ("--models-claim", self.models_claim),
            ("--kaggle-secret", self.kaggle_secret),
        ):
            check(not value, name, value, "empty with --vertex, which has no volumes or secrets")
        check(
            not self.restricted, "--restricted", True, "left out with --vertex, which has no pods"
        )
        if any(one.gpus for one in (self.resources, *self.step_resources.values())):
            known = "/" not in self.gpu_type
            check(
                known, "--gpu-type", self.gpu_type, "a model with --vertex, such as NVIDIA_TESLA_T4"
            )


def parse_resources(text: str) -> tuple[str, Resources]:
    """Turns `Trainer=cpus:8,memory:16` into a step's name, empty for all steps, and its resources.

    Raises:
      UserError: The text has another form or a number is out of its range.
    """
    step, equals, rest = text.rpartition("=")
    values: dict[str, float] = {}
    for part in rest.split(","):
        key, _, number = part.partition(":")
        field = {"cpus": "cpus", "memory": "memory_gb", "gpus": "gpus"}.get(key)
        try:
            if field is None or (equals and not step):
                raise ValueError
            values[field] = int(number) if field == "gpus" else float(number)
        except ValueError:
            raise UserError(
                f"--resources {text}: expected [STEP=]cpus:N,memory:GB[,gpus:N], such as "
                "Trainer=cpus:8,memory:16"
            ) from None
    return step, Resources(**values)  # type: ignore[arg-type]


def check_paths(config: PipelineConfig, kubeflow: KubeflowConfig) -> None:
    """Checks that the settings make sense in containers.

    Raises:
      UserError: They do not.
    """
    whole = [("--root", config.root), ("--push-dir", config.push_path)]
    if config.votes:
        whole.append(("--votes", config.votes))
    for name, path in whole:
        is_whole = pathlib.PurePosixPath(path).is_absolute() or "://" in path
        check(is_whole, name, path, "an absolute path")
    if kubeflow.vertex:
        places = [("--data", config.data), ("--root", config.root)]
        if config.votes:
            places.append(("--votes", config.votes))
        for name, path in (*places, ("--push-dir", config.push_path)):
            is_there = path == "sample" or path.startswith((VERTEX_DIR, "gs://"))
            check(is_there, name, path, f"under {VERTEX_DIR}BUCKET/ with --vertex")
    if config.data.startswith("/") and pathlib.PurePosixPath(config.root).is_relative_to(
        config.data
    ):
        raise UserError(
            f"--root {config.root}: lies inside the data {config.data}; give a folder outside it"
        )
    if config.data.startswith(("kaggle:", "opendatasets:", "http")) and not kubeflow.kaggle_secret:
        raise UserError(
            f"--data {config.data}: needs a key; make a secret with the keys username and key and "
            "name it with --kaggle-secret"
        )


def kubeflow_defaults() -> PipelineConfig:
    """Returns the settings that a run on Kubeflow begins from: paths on the mounted volumes."""
    return PipelineConfig(root=f"{DATA_DIR}/emotion", push_dir=f"{MODELS_DIR}/emotion", cache=False)
