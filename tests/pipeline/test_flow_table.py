"""README and `create_pipeline` show the same table of the flow."""

import ast
import pathlib

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
