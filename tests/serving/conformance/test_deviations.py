"""Each deviation has a test, a reason and a row in the docs."""

import pathlib
import re

from tests.serving.conformance import deviations, harness

HERE = pathlib.Path(__file__).parent


def names_of_tests():
    text = "".join(path.read_text() for path in HERE.glob("test_*.py"))
    return set(re.findall(r"^def (test_\w+)", text, re.MULTILINE))


def test_each_deviation_has_a_test_and_a_reason():
    named = {name for name in names_of_tests() if name.startswith("test_deviation_")}
    assert named <= set(deviations.REASONS)
    assert set(deviations.REASONS) <= names_of_tests()


def test_each_deviation_is_in_the_docs():
    docs = (harness.ROOT / "docs" / "serving.md").read_text()
    assert [name for name in deviations.REASONS if f"`{name}`" not in docs] == []
