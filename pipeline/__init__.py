"""The TFX pipeline: its graph, its configuration, its runners and the `emotion` command."""

import importlib


def __getattr__(name: str) -> type:
    """Finds an artifact's class by its type name, such as `emotion_pipeline.ImageManifest`.

    Kubeflow hands type names around, and TFX imports the classes by them. Nothing is imported before
    that.
    """
    if name[:1].isupper():
        found: type = getattr(
            importlib.import_module("emotion_pipeline.components.artifacts"), name
        )
        return found
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
