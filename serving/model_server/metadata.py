"""GetModelMetadata and GetModelStatus."""

from __future__ import annotations

from collections.abc import Sequence

from emotion_faces.model_server import servable, status, versions
from emotion_faces.protos import get_model_metadata_pb2, get_model_status_pb2, model_pb2

SIGNATURE_DEF = "signature_def"


def check_metadata_request(request: get_model_metadata_pb2.GetModelMetadataRequest) -> None:
    """Refuses requests for anything but signatures, as TensorFlow Serving does.

    Raises:
      StatusError: INVALID_ARGUMENT.
    """
    if not request.HasField("model_spec"):
        raise status.invalid_argument("Missing ModelSpec")
    if not request.metadata_field:
        raise status.invalid_argument(
            "GetModelMetadataRequest must specify at least one metadata_field"
        )
    for field in request.metadata_field:
        if field != SIGNATURE_DEF:
            raise status.invalid_argument(f"Metadata field {field} is not supported")


def metadata(model: servable.Servable) -> get_model_metadata_pb2.GetModelMetadataResponse:
    """All signatures of a loaded version, with its name and number."""
    response = get_model_metadata_pb2.GetModelMetadataResponse()
    response.model_spec.name = model.name
    response.model_spec.version.value = model.version
    signature_map = get_model_metadata_pb2.SignatureDefMap()
    for key, signature in model.signature_defs.items():
        signature_map.signature_def[key].CopyFrom(signature)
    response.metadata[SIGNATURE_DEF].Pack(signature_map)
    return response


def model_status(
    spec: model_pb2.ModelSpec, entries: Sequence[versions.VersionStatus]
) -> get_model_status_pb2.GetModelStatusResponse:
    """The states of a model's versions, the newest first; a label in the spec is ignored.

    Raises:
      StatusError: NOT_FOUND: there is no such model or version.
    """
    wanted = spec.version.value if spec.WhichOneof("version_choice") == "version" else None
    if wanted is not None:
        entries = [entry for entry in entries if entry.version == wanted]
        if not entries:
            raise status.not_found(f"Could not find version {wanted} of model {spec.name}")
    if not entries:
        raise status.not_found(f"Could not find any versions of model {spec.name}")
    response = get_model_status_pb2.GetModelStatusResponse()
    for entry in entries:
        added = response.model_version_status.add(version=entry.version, state=int(entry.state))
        if entry.error is not None:
            added.status.error_code = entry.error.code.value[0]
            added.status.error_message = entry.error.message
        else:
            added.status.error_code = 0
    return response
