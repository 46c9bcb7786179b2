"""The examples are what an outsider writes: small, on the contract alone."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parent.parent / "examples"
ADAPTERS = {
    name: EXAMPLES / name / f"{name}.py"
    for name in ("connector_plainlist", "connector_haproxy_map", "connector_palisade")
}
MOST_LINES = 120


def _asides(tree: ast.Module) -> Iterator[ast.AST]:
    """Yield what is no code of the adapter: imports, options, docstrings."""
    for node in tree.body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield node
        if isinstance(node, ast.ClassDef) and node.name.endswith("Settings"):
            yield node
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(
            node
        ):
            yield node.body[0]


@pytest.mark.parametrize("name", ADAPTERS)
def test_an_adapter_takes_an_afternoon(name: str) -> None:
    text = ADAPTERS[name].read_text(encoding="utf-8")
    aside = {
        number
        for node in _asides(ast.parse(text))
        for number in range(node.lineno, node.end_lineno + 1)  # type: ignore[attr-defined]
    }
    lines = enumerate(text.splitlines(), 1)
    code = [line for number, line in lines if line.strip() and number not in aside]
    assert len(code) < MOST_LINES


@pytest.mark.parametrize("name", ADAPTERS)
def test_an_adapter_imports_nothing_of_the_core_but_its_contract(name: str) -> None:
    tree = ast.parse(ADAPTERS[name].read_text(encoding="utf-8"))
    modules = {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert {module for module in modules if module.startswith("connector")} == {"connector.adapter"}
