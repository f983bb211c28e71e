"""The sandbox knows nothing of the project that it is there to test."""

import ast
from pathlib import Path

SANDBOX = Path(__file__).resolve().parents[2] / "evosync" / "sandbox"


def imported(path: Path) -> set[str]:
    """Everything a module imports, by name."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0
            names.add(node.module or "")
    return names


def test_it_imports_nothing_of_ours_but_itself() -> None:
    modules = list(SANDBOX.rglob("*.py"))
    assert len(modules) > 20
    ours = {name for module in modules for name in imported(module) if name.split(".")[0] == "evosync"}
    assert all(name.startswith("evosync.sandbox") for name in ours), ours
