"""Says what is wrong with the wheels and the source distributions: `python requirements/check_dist.py DIST_DIR`."""

import fnmatch
import pathlib
import sys
import tarfile
import zipfile

LICENCES = ("LICENSE", "NOTICE")
WHEELS = {
    "emotion_pipeline": (
        "emotion_pipeline/cli.py",
        "emotion_pipeline/py.typed",
        "emotion_pipeline/components/run_report/templates/report.html",
        "emotion_pipeline/schema/schema.pbtxt",
        "emotion_pipeline/shipped/deep/weights.npz",
        "emotion_pipeline/shipped/specified/weights.npz",
    ),
    "emotion_faces": (
        "emotion_faces/py.typed",
        "emotion_faces/faces/centerface.onnx",
        "emotion_faces/messages.binpb",
        "emotion_faces/shipped_models/*/*/assets.extra/MODEL_CARD.md",
        "emotion_faces/shipped_models/*/*/assets.extra/model.int8.onnx",
        "emotion_faces/shipped_models/*/*/assets.extra/model.onnx",
        "emotion_faces/web/in_browser/NOTICE.txt",
        "emotion_faces/web/in_browser/worker.js",
        "emotion_faces/web/onnxruntime-web.zip",
        "emotion_faces/web/static/index.html",
    ),
}
"""What each wheel must hold, by the one name that it may install."""

SOURCES = {
    "emotion_pipeline": (
        "CHANGELOG.md",
        "CITATION.cff",
        "CONTRIBUTING.md",
        "LICENSE",
        "NOTICE",
        "README.md",
        "SECURITY.md",
        "setup.py",
        "src/emotion_pipeline/components/errors.py",
        "tests/conftest.py",
        "tests/e2e/test_run.py",
    ),
    "emotion_faces": (
        "LICENSE",
        "NOTICE",
        "README.md",
        "setup.py",
        "src/emotion_faces/cli.py",
        "src/emotion_faces/faces/centerface.onnx",
        "src/emotion_faces/shipped_models/*/*/assets.extra/model.onnx",
        "src/emotion_faces/web/in_browser/NOTICE.txt",
        "src/emotion_faces/web/onnxruntime-web.zip",
    ),
}


def problems_of_wheel(package: str, names: list[str]) -> list[str]:
    """Returns what the wheel lacks, or puts into site-packages under another name than the package's."""
    info = {name.partition("/")[0] for name in names if ".dist-info/" in name}
    others = {name.partition("/")[0] for name in names} - {package} - info
    problems = [f"{package}: {name} is at the wheel's top" for name in sorted(others)]
    problems += [
        f"{package}: no {wanted} in the wheel" for wanted in _missing(WHEELS[package], names)
    ]
    for licence in LICENCES:
        if not any(name.endswith(f"/{licence}") and ".dist-info/" in name for name in names):
            problems.append(f"{package}: no {licence} in the wheel's metadata")
    return problems


def problems_of_source(package: str, names: list[str]) -> list[str]:
    """Returns what the source distribution lacks."""
    inside = [name.partition("/")[2] for name in names]
    missing = _missing(SOURCES[package], inside)
    return [f"{package}: no {wanted} in the source distribution" for wanted in missing]


def _missing(wanted: tuple[str, ...], names: list[str]) -> list[str]:
    return [one for one in wanted if not fnmatch.filter(names, one)]


def main() -> int:
    """Prints the problems; returns 1 where there are any."""
    folder = pathlib.Path(sys.argv[1])
    problems = []
    for package in WHEELS:
        (wheel,) = folder.glob(f"{package}-*.whl")
        (source,) = folder.glob(f"{package}-*.tar.gz")
        with zipfile.ZipFile(wheel) as archive:
            problems += problems_of_wheel(package, archive.namelist())
        with tarfile.open(source) as archive:
            problems += problems_of_source(package, archive.getnames())
        print(f"{wheel.name}, {source.name}")
    print("\n".join(problems) or "whole")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
