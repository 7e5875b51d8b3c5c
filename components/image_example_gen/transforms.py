"""Beam transforms from a manifest's rows to serialised Examples."""

import hashlib
import os
from collections.abc import Iterator, Sequence

import apache_beam as beam
import pyarrow.parquet as pq
from apache_beam.io.filesystems import FileSystems

from emotion_pipeline.components import features
from emotion_pipeline.components.constants import ALL_SPLITS
from emotion_pipeline.components.examples.example_proto import make_example
from emotion_pipeline.components.image_ingest.manifest import (
    KEPT,
    VOTES_OTHER_COLUMN,
    vote_columns,
)
from emotion_pipeline.components.image_ingest.measure import upright_png

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
_COLUMNS = [*_COLUMN_OF_FEATURE.values(), "orientation", "split", "status", "content_hash"]


def row_groups(manifest_path: str) -> Iterator[int]:
    """Yields the number of every row group of a manifest file."""
    with FileSystems.open(manifest_path) as file:
        yield from range(pq.ParquetFile(file).num_row_groups)


def row_to_example(row: dict, image: bytes, votes: Sequence[str] = ()) -> bytes:
    """Returns the serialised Example of a manifest's row and the bytes of its file.

    TensorFlow's decoder does not turn a picture by its EXIF orientation, so that one that needs it is
    stored upright, as a gray PNG.

    Args:
      row: The row.
      image: The file.
      votes: The columns of the votes for each class, in the order of the labels; those and the votes
        for none of the classes are features where the row has votes.
    """
    if row["orientation"] > 1:
        image = upright_png(image, row["orientation"])
    values = {key: row[column] for key, column in _COLUMN_OF_FEATURE.items()}
    # Parquet holds a table's NaN as null.
    if votes and row[VOTES_OTHER_COLUMN] is not None:
        values[features.VOTES_KEY] = [row[column] for column in votes]
        values[features.VOTES_OTHER_KEY] = row[VOTES_OTHER_COLUMN]
    return make_example({features.IMAGE_KEY: image, **values})


class ReadImages(beam.DoFn):
    """Reads the files of a row group's kept rows and tags each Example with its split.

    A file that is gone, or whose SHA-256 is not the manifest's, goes to the output `changed` by its
    path; the caller decides what that means.
    """

    def __init__(self, manifest_path: str, root: str):
        """Takes the manifest's Parquet file and the folder that its paths are relative to."""
        self._manifest_path = manifest_path
        self._root = root

    def setup(self):
        """Opens the manifest, once for many row groups: its footer tells of every one of them."""
        self._file = FileSystems.open(self._manifest_path)
        self._manifest = pq.ParquetFile(self._file)
        self._votes = vote_columns(self._manifest.schema_arrow.names)
        self._columns = [*_COLUMNS, *self._votes, *([VOTES_OTHER_COLUMN] if self._votes else [])]

    def process(self, row_group: int):
        """Yields serialised Examples to their split's output and paths to `changed`."""
        for row in self._manifest.read_row_group(row_group, columns=self._columns).to_pylist():
            if row["status"] != KEPT:
                continue
            try:
                # Ingestion opened it as a local file too; Beam's FileSystems takes half as long again.
                with open(os.path.join(self._root, row["path"]), "rb") as file:
                    image = file.read()
            except OSError:
                image = b""
            if hashlib.sha256(image).hexdigest() != row["content_hash"]:
                yield beam.pvalue.TaggedOutput(CHANGED_TAG, row["path"])
            else:
                yield beam.pvalue.TaggedOutput(
                    row["split"], row_to_example(row, image, self._votes)
                )

    def teardown(self):
        """Closes the manifest."""
        self._file.close()


class ManifestToExamples(beam.PTransform):
    """From nothing to a dict of PCollections: one of Examples for each split, and `changed`.

    Only numbers of row groups pass between workers; rows and pictures are read, encoded and handed
    to their writer in one step.
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
            | "ListRowGroups" >> beam.FlatMap(row_groups)
            | "SpreadRowGroups" >> beam.Reshuffle()
            | "ReadImages"
            >> beam.ParDo(ReadImages(self._manifest_path, self._root)).with_outputs(
                CHANGED_TAG, *ALL_SPLITS
            )
        )
        return {tag: outputs[tag] for tag in (*ALL_SPLITS, CHANGED_TAG)}
