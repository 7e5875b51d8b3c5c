"""Checks and readings that components share."""

import os

from tensorflow_metadata.proto.v0 import schema_pb2
from tfx import types
from tfx.types import artifact_utils
from tfx.utils import io_utils

_SCHEMA_FILE = "schema.pbtxt"


def check_channel(name: str, channel: types.BaseChannel, expected: type[types.Artifact]) -> None:
    """Raises ValueError unless the channel is of the expected type."""
    if channel.type is not expected:
        raise ValueError(
            f"{name} must be a channel of {expected.TYPE_NAME}, got {channel.type_name}"
        )


def read_schema(artifacts: list[types.Artifact]) -> schema_pb2.Schema:
    """Returns the schema of the one Schema artifact in the list."""
    path = os.path.join(artifact_utils.get_single_uri(artifacts), _SCHEMA_FILE)
    return io_utils.parse_pbtxt_file(path, schema_pb2.Schema())
