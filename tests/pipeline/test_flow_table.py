"""README and `create_pipeline` show the same table of the flow."""

import ast
import pathlib

import pytest

REPOSITORY = pathlib.Path(__file__).parents[2]


def flow_table(text: str) -> list[list[str]]:
    """Returns the cells of the table under `step`, row by row, without code marks."""
    lines = [line.strip().replace("`", "") for line in text.splitlines()]
    rest = lines[next(i for i, line in enumerate(lines) if line.startswith("| step |")) :]
    end = next((i for i, line in enumerate(rest) if not line.startswith("|")), len(rest))
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in rest[:end]]


def test_readme_and_docstring_show_the_same_flow():
    module = ast.parse((REPOSITORY / "pipeline" / "pipeline.py").read_text(encoding="utf-8"))
    (function,) = (
        node
        for node in module.body
        if isinstance(node, ast.FunctionDef) and node.name == "create_pipeline"
    )
    in_code = flow_table(ast.get_docstring(function))
    assert in_code == flow_table((REPOSITORY / "README.md").read_text(encoding="utf-8"))
    assert len(in_code) >= 12
    assert {len(row) for row in in_code} == {3}


def component_classes() -> dict[str, str]:
    """Returns each component's class, with the name that the flow has for it: TFX's where it is one of TFX's."""
    return {
        node.name: base.id if isinstance(base := node.bases[0], ast.Name) else node.name
        for path in (REPOSITORY / "components").glob("*/component.py")
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(node, ast.ClassDef) and not node.name.endswith("Spec")
    }


@pytest.mark.parametrize(("name", "shown"), component_classes().items())
def test_a_component_is_in_the_graph_in_the_flow_and_in_the_drawing(name, shown):
    def text(path):
        return (REPOSITORY / path).read_text(encoding="utf-8")

    steps = [row[-1] for row in flow_table(text("README.md"))]
    missing = {
        "pipeline/pipeline.py, create_pipeline": f"{name}(" not in text("pipeline/pipeline.py"),
        "README.md, the flow": not any(shown in step for step in steps),
        "docs/architecture.md, the drawing": shown not in text("docs/architecture.md"),
    }
    assert [place for place, is_missing in missing.items() if is_missing] == []


def test_there_are_components_to_look_at():
    assert {"ImageIngest", "RunReport"} < set(component_classes())
