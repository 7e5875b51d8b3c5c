"""Artifact types of the project's own components, as ML Metadata records them.

Kubeflow Pipelines takes only type names of the form `namespace.Name`, and TFX imports the class by that
name there: each is an attribute of `components`.
"""

from tfx.types.artifact import Artifact


class ImageManifest(Artifact):
    """A table of every file found in the data set, and where the files are.

    `manifest.parquet` holds one row a file and `source.json` the folder that `path` is relative to;
    `emotion_pipeline.components.image_ingest.manifest` reads and writes both.
    """

    TYPE_NAME = "emotion_pipeline.ImageManifest"


class ImageFindings(Artifact):
    """What is wrong with the pictures of a manifest: `findings.json`.

    `emotion_pipeline.components.image_findings.findings` reads and writes it.
    """

    TYPE_NAME = "emotion_pipeline.ImageFindings"


class DataDrift(Artifact):
    """How far the distributions of two splits are apart, feature by feature: `drift.json`.

    `emotion_pipeline.components.drift_validator.drift` reads and writes it.
    """

    TYPE_NAME = "emotion_pipeline.DataDrift"


class HtmlReport(Artifact):
    """A page to look at: `report.html`, which needs no other file, and `card.md`, the model's card.

    See `emotion_pipeline.components.run_report`.
    """

    TYPE_NAME = "emotion_pipeline.HtmlReport"
