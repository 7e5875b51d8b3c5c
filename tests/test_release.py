"""What is said in more than one place about a release."""

import json
import pathlib
import re
import subprocess
import sys

import yaml

from emotion_pipeline.kubeflow.config import KubeflowConfig
from emotion_pipeline.shipped.models import shipped_models

REPOSITORY = pathlib.Path(__file__).resolve().parents[1]
(VERSION,) = re.findall(r'^VERSION = "(.+)"$', (REPOSITORY / "setup.py").read_text(), re.MULTILINE)


def test_the_command_tells_the_version():
    done = subprocess.run(
        [sys.executable, "-m", "emotion_pipeline.cli", "--version"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == f"emotion {VERSION}\n"


def test_both_distributions_have_the_version():
    light = (REPOSITORY / "emotion-faces" / "setup.py").read_text()
    assert f'VERSION = "{VERSION}"' in light


def test_the_citation_and_the_changes_name_the_version():
    citation = yaml.safe_load((REPOSITORY / "CITATION.cff").read_text())
    assert citation["version"] == VERSION
    assert citation["license"] == "Apache-2.0"
    assert f"\n## {VERSION}\n" in (REPOSITORY / "CHANGELOG.md").read_text()


def test_images_are_tagged_with_the_version():
    assert KubeflowConfig().image == f"emotion-pipeline:{VERSION}"
    tracked = subprocess.run(
        ["git", "ls-files", "-z", "--", "*.md", "*.yaml", "*.py", "*Dockerfile"],
        cwd=REPOSITORY, capture_output=True, text=True, check=True,
    ).stdout.split("\0")  # fmt: skip
    tags = {
        tag
        for name in tracked
        if name and (REPOSITORY / name).is_file()
        for tag in re.findall(
            r"\bemotion(?:-\w+)?:(\d+\.\d+\.\d+)", (REPOSITORY / name).read_text(encoding="utf-8")
        )
    }
    assert tags == {VERSION}


def test_the_licence_is_whole():
    text = (REPOSITORY / "LICENSE").read_text()
    assert "Version 2.0, January 2004" in text
    assert "END OF TERMS AND CONDITIONS" in text
    assert len(text.split()) == 1581


def test_nothing_large_comes_in_unseen():
    """Each replacement of a large file stays in the history for good."""
    listed = subprocess.run(
        ["git", "ls-tree", "-r", "-l", "-z", "HEAD"],
        cwd=REPOSITORY, capture_output=True, text=True, check=True,
    ).stdout.split("\0")  # fmt: skip
    sizes = {}
    for line in filter(None, listed):
        about, _, name = line.partition("\t")
        size = about.split()[3]
        sizes[name] = int(size) if size.isdigit() else 0
    large = {name for name, size in sizes.items() if size > 1_000_000}
    weights = {f"pipeline/shipped/{model.name}/weights.npz" for model in shipped_models()}
    weights.add("pipeline/shipped/deep/model.int8.onnx")
    detector = {"serving/faces/centerface.onnx"}
    assert large == weights | detector, json.dumps(sorted(large))
    assert sum(sizes.values()) < 40_000_000


def test_links_hold_on_a_package_index():
    done = subprocess.run(
        [sys.executable, "setup.py", "--quiet", "--long-description"],
        cwd=REPOSITORY,
        env={"PATH": "/usr/bin:/bin", "PROJECT_URL": "https://example.org/emotion/"},
        capture_output=True,
        text=True,
        check=True,
    )
    base = "https://example.org/emotion"
    targets = re.findall(r"\]\(([^)\s]+)\)", done.stdout)
    assert f"{base}/raw/v{VERSION}/docs/report.png" in targets
    assert f"{base}/blob/v{VERSION}/docs/serving.md" in targets
    assert all(target.startswith(("https://", "#")) for target in targets)
