"""Packaging of `emotion-faces`: the folder `serving/` of the repository, with the best trained model as ONNX.

A release (the variable RELEASE is set) also brings what runs the model in a browser, from npm's registry.
"""

import os
import pathlib
import sys

import setuptools
from setuptools.command.build_py import build_py
from setuptools.command.sdist import sdist

HERE = pathlib.Path(__file__).resolve().parent
REPOSITORY = HERE.parent
MODELS = pathlib.Path("emotion_faces", "shipped_models")
BROWSER_RUNTIME = pathlib.Path("emotion_faces", "web", "onnxruntime-web.zip")

# The same as in the repository's own setup.py; a test holds them to each other.
VERSION = "0.1.0"

# What the model server runs on, as in the repository's setup.py.
SERVE_BEFORE_311 = (
    "grpcio-health-checking>=1.48,<1.49",
    "grpcio-reflection>=1.48,<1.49",
    "tensorflow==2.16.2",
    "tensorflow-serving-api==2.16.*",
)
SERVE = (
    "grpcio-health-checking>=1.71,<2",
    "grpcio-reflection>=1.71,<2",
    "tensorflow==2.21.*",
    "tensorflow-serving-api>=2.19.1,<2.22",
)


def write_model(folder: pathlib.Path) -> None:
    """Writes the best trained model as ONNX from the repository's weights; a source distribution has it."""
    if folder.is_dir():
        return
    sys.path.insert(0, str(REPOSITORY / "src"))
    from emotion_pipeline.shipped.models import shipped_models
    from emotion_pipeline.shipped.onnx_folder import write_onnx_folder

    best = shipped_models()[0]
    write_onnx_folder(folder / best.name, best)


def fetch_browser_runtime(path: pathlib.Path) -> None:
    """Fetches what runs the model in a browser, for a release; what is installed otherwise does when asked."""
    if path.is_file() or not os.environ.get("RELEASE"):
        return
    sys.path.insert(0, str(REPOSITORY / "src"))
    from emotion_faces.web.onnxruntime_web import fetch

    fetch(path)


class BuildWithModel(build_py):
    """Adds the model, and in a release the browser's runtime, to what is installed."""

    def run(self) -> None:
        """Copies the package and writes the model; one installed for development makes it when asked."""
        super().run()
        if not self.editable_mode:
            write_model(pathlib.Path(self.build_lib) / MODELS)
            fetch_browser_runtime(pathlib.Path(self.build_lib) / BROWSER_RUNTIME)


class SourceWithModel(sdist):
    """Adds the same to the source distribution, which is apart from the weights."""

    def make_release_tree(self, base_dir: str, files: list[str]) -> None:
        """Copies the files and writes the model."""
        super().make_release_tree(base_dir, files)
        write_model(pathlib.Path(base_dir, "src") / MODELS)
        fetch_browser_runtime(pathlib.Path(base_dir, "src") / BROWSER_RUNTIME)


setuptools.setup(
    name="emotion-faces",
    version=VERSION,
    description="Emotions of the faces in pictures and films, without TensorFlow",
    long_description=(HERE / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    author="The emotion-pipeline authors",
    license="Apache-2.0",
    license_files=["LICENSE", "NOTICE"],
    keywords=["emotion recognition", "facial expression", "ONNX"],
    classifiers=[
        "Development Status :: 4 - Beta",
        "Intended Audience :: Developers",
        "Intended Audience :: Science/Research",
        "Operating System :: POSIX :: Linux",
        "Programming Language :: Python :: 3",
        "Programming Language :: Python :: 3.10",
        "Programming Language :: Python :: 3.11",
        "Programming Language :: Python :: 3.12",
        "Programming Language :: Python :: 3.13",
        "Topic :: Scientific/Engineering :: Image Recognition",
        "Typing :: Typed",
    ],
    python_requires=">=3.10,<3.14",
    package_dir={"": "src"},
    packages=setuptools.find_packages("src"),
    package_data={
        "emotion_faces": [
            *("py.typed", "messages.binpb", "faces/*.onnx"),
            *("web/static/*", "web/in_browser/*", "web/onnxruntime-web.zip"),
            *("deploy/*", "deploy/*/*", "overlays/*/*", "shipped_models/*/*/*/*"),
        ],
    },
    install_requires=[
        "av>=17,<18",  # reads and writes films
        "grpcio>=1.48,<2",
        "ml_dtypes>=0.3,<1",
        "numpy>=1.26,<3",
        # Newer ones are larger and here no faster: docs/light.md.
        'onnxruntime>=1.17,<1.21 ; python_version < "3.11"',
        'onnxruntime>=1.17,<1.29 ; python_version >= "3.11"',
        # Needs no libraries of a desktop. Newer ones are larger too.
        'opencv-python-headless>=4.10,<4.13 ; python_version < "3.11"',
        'opencv-python-headless>=4.10,<4.14 ; python_version >= "3.11"',
        "pi-heif>=1.1,<2",  # HEIC, as phones take pictures
        "pillow>=11.3,<13",
        "protobuf>=3.20.3,<8",
        "tornado>=6.4,<7",
    ],
    extras_require={
        "pandas": ["pandas>=1.5,<3"],
        "parquet": ["pyarrow>=10"],
        "plot": ["matplotlib>=3.9,<4"],
        "serve": [
            "google-crc32c>=1.5,<2",
            "orjson>=3.10,<4",
            *(f'{requirement} ; python_version < "3.11"' for requirement in SERVE_BEFORE_311),
            *(f'{requirement} ; python_version >= "3.11"' for requirement in SERVE),
        ],
    },
    entry_points={"console_scripts": ["emotion=emotion_faces.entry:main"]},
    cmdclass={"build_py": BuildWithModel, "sdist": SourceWithModel},
)
