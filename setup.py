"""Packaging of the facial-emotion-recognition pipeline."""

import os
import pathlib
import re

import setuptools

HERE = pathlib.Path(__file__).parent

# The one place: `emotion --version` asks the installed package, tests hold what names it elsewhere.
VERSION = "0.1.0"
# Where the repository is, for a release: a package index shows README.md without the files beside it.
PROJECT_URL = os.environ.get("PROJECT_URL", "").rstrip("/")


def read_me() -> str:
    """Returns README.md, its links to files as links to the repository where that is known."""
    text = (HERE / "README.md").read_text(encoding="utf-8")
    if not PROJECT_URL:
        return text
    at_version = f"{PROJECT_URL}/{{}}/v{VERSION}/"
    text = re.sub(r"(!\[[^\]]*\]\()(?!https?:)", r"\1" + at_version.format("raw"), text)
    return re.sub(r"((?<!!)\[[^\]]*\]\()(?!https?:|#)", r"\1" + at_version.format("blob"), text)


def light_part() -> str:
    """Returns the requirement of `emotion-faces`: the folder beside this file, or in a release its version."""
    folder = HERE / "emotion-faces"
    if os.environ.get("RELEASE") or not folder.is_dir():
        return f"emotion-faces=={VERSION}"
    return f"emotion-faces @ {folder.resolve().as_uri()}"


TFX_1_16 = (
    "apache-beam==2.62.*",
    "grpcio-health-checking>=1.48,<1.49",
    "grpcio-reflection>=1.48,<1.49",
    "tensorflow==2.16.2",
    "tensorflow-data-validation==1.16.*",
    "tensorflow-serving-api==2.16.*",
    "tf_keras==2.16.*",
    "tfx==1.16.0",
)
# Its TFDV and ML Metadata are published for glibc 2.39 and later.
TFX_1_21 = (
    "apache-beam==2.77.*",
    "grpcio-health-checking>=1.71,<2",
    "grpcio-reflection>=1.71,<2",
    "tensorflow==2.21.*",
    "tensorflow-data-validation==1.21.*",
    "tensorflow-serving-api>=2.19.1,<2.22",
    "tf_keras==2.21.*",
    "tfx==1.21.0",
)

setuptools.setup(
    name="emotion-pipeline",
    version=VERSION,
    description="A TFX pipeline for facial-emotion recognition, from raw folders to TensorFlow Serving",
    long_description=read_me(),
    long_description_content_type="text/markdown",
    project_urls={"Source": PROJECT_URL} if PROJECT_URL else {},
    author="The emotion-pipeline authors",
    license="Apache-2.0",
    license_files=["LICENSE", "NOTICE"],
    keywords=["emotion recognition", "facial expression", "TFX", "TensorFlow Serving", "Keras"],
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
    # `src/` holds links: what is `pipeline/`, `components/` and `serving/` here is installed, and
    # imported everywhere, under names of its own; the last by the distribution `emotion-faces`.
    package_dir={"": "src"},
    packages=setuptools.find_packages("src", exclude=["emotion_faces", "emotion_faces.*"]),
    package_data={
        "emotion_pipeline": ["py.typed", "schema/*.pbtxt", "deploy/*/*", "shipped/*/*"],
        "emotion_pipeline.components": ["*/templates/*"],
    },
    # Ranges that are known to work together; requirements/*.lock pins one exact set of them a stack.
    install_requires=[
        light_part(),
        "google-crc32c>=1.5,<2",
        "Jinja2>=3.1,<4",
        # opendatasets calls Kaggle's client as it was before 1.8, and imports a module that Python
        # 3.13 dropped.
        "kaggle>=1.7,<1.8",
        "kfp>=2.5,<3",
        'legacy-cgi>=2.6,<3 ; python_version >= "3.13"',
        "matplotlib>=3.9,<4",
        "numpy>=1.26,<3",
        "onnx>=1.16,<2",  # writes a pushed model as ONNX
        "opencv-python-headless>=4.10,<5",  # needs no libraries of a desktop
        "opendatasets>=0.1.22,<0.2",
        "orjson>=3.10,<4",
        "pandas>=1.5,<3",
        "pillow>=11.3,<13",
        "pyarrow>=10,<19",
        "PyYAML>=6,<7",
        "tensorboard>=2.16,<3",
        *(f'{requirement} ; python_version < "3.11"' for requirement in TFX_1_16),
        *(f'{requirement} ; python_version >= "3.11"' for requirement in TFX_1_21),
    ],
    # Data and pushes at s3:// need a client of their own; gs:// and hdfs:// need none.
    extras_require={"s3": ["boto3>=1.28,<2"]},
)
