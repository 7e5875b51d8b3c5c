"""The versions of what decides a result beside the project's own code."""

import functools
import importlib.metadata
import platform

DISTRIBUTIONS = (
    "tfx",
    "tensorflow",
    "tf_keras",
    "tensorflow-transform",
    "tensorflow-data-validation",
    "tensorflow-model-analysis",
    "tensorflow-metadata",
    "tfx-bsl",
    "apache-beam",
    "numpy",
    "pandas",
    "pyarrow",
    "pillow",
    "jinja2",
    "onnx",
    "onnxruntime",
)

_OPENCV = (
    "opencv-python",
    "opencv-python-headless",
    "opencv-contrib-python",
    "opencv-contrib-python-headless",
)
"""One module under four names: with windows or without, with the contributed parts or without."""


def stack_versions() -> dict[str, str]:
    """Returns the versions of Python and of the libraries that decide a result, by name.

    A library that is not installed has the version `none`, so that it makes a difference when it
    comes.
    """
    versions = {"python": platform.python_version()}
    versions.update({name: _version(name) for name in DISTRIBUTIONS})
    installed = [f"{name} {found}" for name in _OPENCV if (found := _version(name)) != "none"]
    versions["opencv"] = ", ".join(installed) or "none"
    return versions


@functools.cache
def _version(distribution: str) -> str:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return "none"
