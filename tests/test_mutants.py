import pathlib
import subprocess
import sys

import pytest

from benchmarks.quality import mutants

TINY = '''"""Says 1 < 2."""

from typing import Literal

Side = Literal["left"]


def is_small(value: int, most: "int | None" = None) -> bool:
    """Says 1 < 2."""
    if most is None:
        raise ValueError("no most of 3 is there")
    return value < most
'''


@pytest.mark.parametrize("subject", mutants.SUBJECTS)
def test_what_a_subject_names_is_there(subject):
    named = mutants.SUBJECTS[subject]
    for path in (*named.modules, *named.tests):
        assert (mutants.REPOSITORY / path).exists(), path


def test_words_types_and_imports_are_left_as_they_are(tmp_path: pathlib.Path, monkeypatch):
    (tmp_path / "serving").mkdir()
    (tmp_path / "serving" / "tiny.py").write_text(TINY)
    monkeypatch.setattr(mutants, "REPOSITORY", tmp_path)
    found = list(mutants.mutants_of("serving/tiny.py"))
    changed = [(one.line, one.change.splitlines()[-1].strip("+ ")) for one in found]
    assert changed == [
        (5, "Side = None"),
        (5, 'Side = Literal["XXleftXX"]'),
        (10, "if most is not None:"),
        (11, "raise ValueError(None)"),
        (12, "return value <= most"),
    ]
    assert len({one.source for one in found}) == len(found)


def test_modules_have_the_names_that_they_are_imported_by():
    names = [mutants.import_name(one) for one in ("serving/cli.py", "pipeline/cli.py")]
    assert names == ["emotion_faces.cli", "emotion_pipeline.cli"]
    in_a_room = mutants.import_name("components/class_balancer/plan.py")
    assert in_a_room == "emotion_pipeline.components.class_balancer.plan"


_JUDGE = """
import sys
from benchmarks.quality import mutants

plan = "components/class_balancer/plan.py"
(changed,) = [one for one in mutants.mutants_of(plan) if "divmod(target + count" in one.change]
print([mutants.run_tests([sys.argv[1]], one, 300) for one in (None, changed)])
"""


def test_a_mutant_fails_the_tests_that_pass_without_it(tmp_path: pathlib.Path):
    test = tmp_path / "test_plan_of_one.py"
    test.write_text(
        "from emotion_pipeline.components.class_balancer import plan\n\n\n"
        "def test_a_copy():\n"
        "    assert plan.plan_class([b'a'], 1, 2).copies_per_image == 1\n"
    )
    source = mutants.REPOSITORY / "components" / "class_balancer" / "plan.py"
    before = source.read_bytes()
    told = subprocess.run(
        [sys.executable, "-c", _JUDGE, str(test)],
        cwd=mutants.REPOSITORY,
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert told.stdout.strip() == "[0, 1]", told.stderr
    assert source.read_bytes() == before
