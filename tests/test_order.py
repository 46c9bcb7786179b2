"""Workers begin with the files that take longest."""

import ast
from pathlib import Path

TESTS = Path(__file__).parent


def test_each_file_that_workers_begin_with_is_there() -> None:
    tree = ast.parse((TESTS / "conftest.py").read_text(encoding="utf-8"))
    [longest] = [
        ast.literal_eval(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "LONGEST"
    ]
    assert set(longest) <= {path.name for path in TESTS.rglob("test_*.py")}
