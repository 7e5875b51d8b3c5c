"""Which versions a model's folder holds, and which of them its policy wants served."""

from __future__ import annotations

import logging
import pathlib
from typing import Any

from emotion_faces.model_folder import version_number
from emotion_faces.model_server import status

_log = logging.getLogger(__name__)


def list_versions(base_path: str) -> dict[int, str]:
    """The version folders, by number: children whose names `version_number` reads.

    Raises:
      StatusError: NOT_FOUND: there is no such folder.
    """
    try:
        folders = [child for child in sorted(pathlib.Path(base_path).iterdir()) if child.is_dir()]
    except (OSError, ValueError) as error:  # ValueError: what is no path at all
        raise status.not_found(
            f"Could not find base path {base_path}: {getattr(error, 'strerror', None) or error}"
        ) from error
    versions: dict[int, str] = {}
    for child in folders:
        version = version_number(child.name)
        if version is not None:
            if version in versions:
                _log.warning("%s and %s are both version %d", versions[version], child, version)
            else:
                versions[version] = str(child)
    return versions


def choose_versions(versions: dict[int, str], policy: Any) -> dict[int, str]:
    """The versions that a ServableVersionPolicy wants; the latest one by default.

    A specific version that is absent is left out with a warning.
    """
    kind = policy.WhichOneof("policy_choice") or "latest"
    if kind == "all":
        return versions
    if kind == "specific":
        wanted = set(policy.specific.versions)
        for version in sorted(wanted - set(versions)):
            _log.warning("version %d is wanted by the version policy and does not exist", version)
        return {version: path for version, path in versions.items() if version in wanted}
    count = policy.latest.num_versions or 1
    newest = sorted(versions, reverse=True)[:count]
    return {version: versions[version] for version in newest}
