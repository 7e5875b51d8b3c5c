"""What an engine's workers import for the project's own transforms."""

import subprocess
import sys

import pytest

TRANSFORMS = (
    "emotion_pipeline.components.class_balancer.transforms",
    "emotion_pipeline.components.image_example_gen.transforms",
)


@pytest.mark.slow
def test_workers_do_not_import_tfxs_components():
    code = f"import sys, {', '.join(TRANSFORMS)}; print('tfx.components' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=300, check=False
    )
    assert (done.returncode, done.stdout.strip()) == (0, "False"), done.stderr[-2000:]
