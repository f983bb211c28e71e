"""Whatever the code writes into the audit trail and the outbox, and every right, has words on the admin's pages."""

import ast
from collections.abc import Iterator
from pathlib import Path

import evosync
from evosync.domain.errors import Side
from evosync.domain.mirror import Step
from evosync.web.access import ACCESS
from evosync.web.admin.words import ACTIONS, LETTER_KINDS, PERMISSIONS, STEPS
from evosync.words.letters import Kind

CODE = Path(evosync.__file__).parent
RECORDERS = frozenset({"record", "_record", "_kept"})
"""Functions that write an entry; its name is their first text, or, in a variable, one that `NAMED` explains."""
NAMED = {"action": [f"{side.value}_disconnected" for side in Side]}
NO_TRAIL = frozenset({"evosync/db/runs.py", "evosync/sync"})
"""Where a function of the same name records something else."""


def recorded() -> Iterator[tuple[str, str]]:
    """Each entry's name with the place that writes it."""
    for path in sorted(CODE.rglob("*.py")):
        place = path.relative_to(CODE.parent).as_posix()
        if place.startswith(tuple(NO_TRAIL)):
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and called(node.func) in RECORDERS:
                for name in names(node):
                    yield name, f"{place}:{node.lineno}"


def called(function: ast.expr) -> str:
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")


def names(call: ast.Call) -> list[str]:
    """The entry's name stands second, after the connection, or third, after the request."""
    for argument in call.args[1:3]:
        if isinstance(argument, ast.IfExp):
            return [str(ast.literal_eval(each)) for each in (argument.body, argument.orelse)]
        if isinstance(argument, ast.Constant) and isinstance(argument.value, str):
            return [argument.value]
    return [name for argument in call.args[1:3] for name in NAMED.get(getattr(argument, "id", ""), [])]


def test_every_entry_of_the_trail_has_words() -> None:
    found = dict(recorded())
    assert len(found) > 20, "the search finds nothing any more"
    assert {name: place for name, place in found.items() if name not in ACTIONS} == {}


def test_no_words_are_kept_for_entries_that_nobody_writes() -> None:
    assert set(ACTIONS) - {name for name, _ in recorded()} == set()


def test_every_letter_step_and_right_has_words() -> None:
    assert set(LETTER_KINDS) == {kind.value for kind in Kind}
    assert set(STEPS) == {step.value for step in Step}
    assert {rule.permission for rule in ACCESS.values() if rule.permission} <= set(PERMISSIONS)
