"""Fetches the Java parts: Beam's job server from Maven Central, Flink and Spark from PyPI."""

import fcntl
import pathlib
import shutil
import subprocess
import sys
from collections.abc import Callable
from importlib import metadata

from emotion_faces.cache import cache_dir
from emotion_pipeline.components.errors import UserError
from emotion_pipeline.components.progress import report

FLINK_VERSION = "1.19.1"
SPARK_VERSION = "3.5.5"
"""Beam's Spark runner is built for Spark 3."""

JOB_SERVER_CLASSES = {
    "flink": "org.apache.beam.runners.flink.FlinkJobServerDriver",
    "spark": "org.apache.beam.runners.spark.SparkJobServerDriver",
}

_POMS = pathlib.Path(__file__).parents[1] / "deploy"
_PACKAGES = {
    "flink": f"apache-flink-libraries=={FLINK_VERSION}",
    "spark": f"pyspark=={SPARK_VERSION}",
}


def find_program(name: str, purpose: str) -> str:
    """Returns the path of a program.

    Raises:
      UserError: It is not on PATH.
    """
    path = shutil.which(name)
    if path is None:
        raise UserError(f"{name}: not found on PATH; {purpose} needs it")
    return path


def job_server_jars(engine: str) -> pathlib.Path:
    """Returns the folder of Beam's job server for an engine, with all that it depends on.

    It is fetched once for each version of Beam; 150 MB for Flink.

    Raises:
      UserError: Maven is missing or cannot fetch it.
    """
    version = metadata.version("apache-beam")

    def fetch(folder: pathlib.Path) -> list[str]:
        return [
            find_program("mvn", f"fetching Beam's job server for {engine}"),
            *("--batch-mode", "--quiet", "--file", str(_POMS / engine / "pom.xml")),
            "dependency:copy-dependencies",
            f"-Dbeam.version={version}",
            f"-DoutputDirectory={folder}",
        ]

    return _fetch_once(f"beam-{version}-{engine}", fetch)


def engine_package(engine: str) -> pathlib.Path:
    """Returns the folder of a whole Flink or Spark, as its PyPI package has it.

    Raises:
      UserError: pip cannot install it.
    """

    def fetch(folder: pathlib.Path) -> list[str]:
        # Isolated, or it would import from the current folder.
        pip = [sys.executable, "-I", "-m", "pip", "--disable-pip-version-check", "--quiet"]
        return [*pip, "install", "--no-deps", "--target", str(folder), _PACKAGES[engine]]

    folder = _fetch_once(_PACKAGES[engine].replace("==", "-"), fetch)
    return folder / ("pyflink" if engine == "flink" else "pyspark")


def _fetch_once(name: str, command: Callable[[pathlib.Path], list[str]]) -> pathlib.Path:
    folder = cache_dir() / name
    # A second process waits for the first one's copy; a copy that was cut off is never used.
    with open(folder.with_name(f".{name}.lock"), "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if folder.is_dir():
            return folder
        report(f"fetching {name} into {folder.parent}")
        partial = folder.with_name(f".{name}.partial")
        shutil.rmtree(partial, ignore_errors=True)
        arguments = command(partial)
        done = subprocess.run(arguments, capture_output=True, text=True, check=False)
        if done.returncode or not partial.is_dir():
            lines = (done.stdout + done.stderr).strip().splitlines()[-5:]
            raise UserError(f"{name}: `{' '.join(arguments)}` failed:\n" + "\n".join(lines))
        partial.rename(folder)
    return folder
