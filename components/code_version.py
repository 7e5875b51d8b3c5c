"""Which code of the project made something."""

import importlib.metadata

from emotion_pipeline.components.fingerprint import code_fingerprint

DISTRIBUTION = "emotion-pipeline"


def code_version() -> str:
    """Returns the version of the project and a hash of its sources: `0.1.0 (code 0123456789abcdef)`."""
    try:
        version = importlib.metadata.version(DISTRIBUTION)
    except importlib.metadata.PackageNotFoundError:
        version = "not installed"
    return f"{version} (code {code_fingerprint('emotion_pipeline')})"
