"""Says what is wrong with a wheel and a source distribution: `python requirements/check_dist.py DIST_DIR`."""

import pathlib
import sys
import tarfile
import zipfile

IMPORTED = {"emotion_pipeline", "emotion_faces"}
IN_WHEEL = (
    "emotion_pipeline/cli.py",
    "emotion_pipeline/py.typed",
    "emotion_pipeline/components/run_report/templates/report.html",
    "emotion_pipeline/schema/schema.pbtxt",
    "emotion_pipeline/shipped/weights.npz",
    "emotion_faces/py.typed",
    "emotion_faces/web/static/index.html",
)
IN_SOURCE = (
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
)


def problems_of_wheel(names: list[str]) -> list[str]:
    """Returns what the wheel lacks, or puts into site-packages under a name that is not the project's."""
    info = {name.partition("/")[0] for name in names if ".dist-info/" in name}
    others = {name.partition("/")[0] for name in names} - IMPORTED - info
    problems = [f"wheel: {name} is at its top" for name in sorted(others)]
    problems += [f"wheel: no {name}" for name in IN_WHEEL if name not in names]
    for licence in ("LICENSE", "NOTICE"):
        if not any(name.endswith(f"/{licence}") and ".dist-info/" in name for name in names):
            problems.append(f"wheel: no {licence} in its metadata")
    return problems


def problems_of_source(names: list[str]) -> list[str]:
    """Returns what the source distribution lacks."""
    inside = {name.partition("/")[2] for name in names}
    return [f"source distribution: no {name}" for name in IN_SOURCE if name not in inside]


def main() -> int:
    """Prints the problems; returns 1 where there are any."""
    folder = pathlib.Path(sys.argv[1])
    (wheel,) = folder.glob("*.whl")
    (source,) = folder.glob("*.tar.gz")
    with zipfile.ZipFile(wheel) as archive:
        problems = problems_of_wheel(archive.namelist())
    with tarfile.open(source) as archive:
        problems += problems_of_source(archive.getnames())
    print("\n".join(problems) or f"{wheel.name}, {source.name}: whole")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
