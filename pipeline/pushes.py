"""Pushes of earlier runs that ML Metadata still believes in, and the push folder no longer holds."""

import logging
import os

from ml_metadata.proto import metadata_store_pb2 as mlmd
from tfx.orchestration import metadata
from tfx.types import standard_artifacts

from emotion_pipeline.components.served_model import digest_files, model_files, version_files


def forget_unserved(connection: mlmd.ConnectionConfig, push_dir: str) -> None:
    """Marks recorded pushes to a folder as deleted where their version is gone or another.

    TFX's cache takes no artifact over that is so marked: the Pusher runs again, and what a run says
    is pushed is there.

    Args:
      connection: To ML Metadata.
      push_dir: Folder or address of the version folders.
    """
    with metadata.Metadata(connection) as handle:
        store = handle.store
        gone = [
            artifact
            for artifact in store.get_artifacts_by_type(standard_artifacts.PushedModel.TYPE_NAME)
            if artifact.state == mlmd.Artifact.LIVE and not _is_there(artifact, push_dir)
        ]
        for artifact in gone:
            artifact.state = mlmd.Artifact.DELETED
        if gone:
            logging.getLogger(__name__).info("%d pushes are no longer in %s", len(gone), push_dir)
            store.put_artifacts(gone)


def _is_there(artifact: mlmd.Artifact, push_dir: str) -> bool:
    """Returns whether a recorded push is what it was; one that pushed nothing, or elsewhere, is."""
    properties = artifact.custom_properties
    version = properties["pushed_version"].string_value
    destination = properties["pushed_destination"].string_value
    if not properties["pushed"].int_value or os.path.dirname(destination) != push_dir.rstrip("/"):
        return True
    return digest_files(version_files(push_dir, int(version))) == digest_files(
        model_files(artifact.uri)
    )
