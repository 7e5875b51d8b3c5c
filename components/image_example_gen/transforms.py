"""Beam transforms from a manifest's rows to serialised Examples."""

import hashlib
import os
from collections.abc import Iterator

import apache_beam as beam
import pyarrow.parquet as pq
from apache_beam.io.filesystems import FileSystems

from components import features
from components.constants import SPLITS
from components.examples import make_example
from components.image_ingest.manifest import KEPT

ROWS_PER_BATCH = 256
"""Rows that travel together: enough that Beam's cost per element vanishes, few enough to spread."""

CHANGED_TAG = "changed"

_COLUMN_OF_FEATURE = {
    features.LABEL_KEY: "label",
    features.PATH_KEY: "path",
    features.WIDTH_KEY: "width",
    features.HEIGHT_KEY: "height",
    features.CHANNELS_KEY: "channels",
    features.SIZE_BYTES_KEY: "bytes",
    features.BRIGHTNESS_KEY: "brightness",
    features.CONTRAST_KEY: "contrast",
    features.SHARPNESS_KEY: "sharpness",
    features.ENTROPY_KEY: "entropy",
}
_COLUMNS = [*_COLUMN_OF_FEATURE.values(), "split", "status", "content_hash"]


def read_kept_rows(manifest_path: str) -> Iterator[list[dict]]:
    """Yields the kept rows of a manifest file in lists of at most 256, a row group at a time."""
    with FileSystems.open(manifest_path) as file:
        for batch in pq.ParquetFile(file).iter_batches(ROWS_PER_BATCH, columns=_COLUMNS):
            rows = [row for row in batch.to_pylist() if row["status"] == KEPT]
            if rows:
                yield rows


def row_to_example(row: dict, image: bytes) -> bytes:
    """Returns the serialised Example of a manifest's row and the bytes of its file."""
    values = {key: row[column] for key, column in _COLUMN_OF_FEATURE.items()}
    return make_example({features.IMAGE_KEY: image, **values})


class ReadImages(beam.DoFn):
    """Reads the files of a list of rows and tags each Example with its split.

    A file that is gone, or whose SHA-256 is not the manifest's, goes to the output `changed` by its
    path; the caller decides what that means.
    """

    def __init__(self, root: str):
        """Takes the folder that the rows' paths are relative to."""
        self._root = root

    def process(self, rows: list[dict]):
        """Yields serialised Examples to their split's output and paths to `changed`."""
        for row in rows:
            try:
                # Ingestion opened it as a local file too; Beam's FileSystems takes half as long again.
                with open(os.path.join(self._root, row["path"]), "rb") as file:
                    image = file.read()
            except OSError:
                image = b""
            if hashlib.sha256(image).hexdigest() != row["content_hash"]:
                yield beam.pvalue.TaggedOutput(CHANGED_TAG, row["path"])
            else:
                yield beam.pvalue.TaggedOutput(row["split"], row_to_example(row, image))


class ManifestToExamples(beam.PTransform):
    """From nothing to a dict of PCollections: one of Examples for each split, and `changed`.

    Only rows pass between workers; a picture is read, encoded and handed to its writer in one step.
    """

    def __init__(self, manifest_path: str, root: str):
        """Takes the manifest's Parquet file and the folder its paths are relative to."""
        super().__init__()
        self._manifest_path = manifest_path
        self._root = root

    def expand(self, pipeline):
        """Applies the transform."""
        outputs = (
            pipeline
            | "CreateManifestPath" >> beam.Create([self._manifest_path])
            | "ReadKeptRows" >> beam.FlatMap(read_kept_rows)
            | "SpreadRows" >> beam.Reshuffle()
            | "ReadImages" >> beam.ParDo(ReadImages(self._root)).with_outputs(CHANGED_TAG, *SPLITS)
        )
        return {tag: outputs[tag] for tag in (*SPLITS, CHANGED_TAG)}
