"""What the documentation tells an auditor can be looked up: every file and every test that it names is there."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "operation.md").read_text(encoding="utf-8")
ASKED = ("sessions", "passwords", "tokens at rest", "access control", "webhooks", "logging", "secrets of the operator")


def rows() -> list[list[str]]:
    """About, rule, where and shown by, of each line of the auditor's table."""
    table = TEXT.partition("## What an auditor asks first")[2].partition("\n## ")[0]
    lines = [line for line in table.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines[2:]]


def test_all_that_is_asked_first_is_answered_and_what_is_not_met_is_said() -> None:
    assert {row[0] for row in rows()} >= set(ASKED)
    assert all(len(row) == 4 for row in rows())
    assert "**Not met:**" in TEXT


@pytest.mark.parametrize("row", rows(), ids=lambda row: f"{row[0]}, {row[1][:30]}")
def test_where_it_is_done_and_what_shows_it_are_there(row: list[str]) -> None:
    where = re.findall(r"`([^`]+)`", row[2])
    assert where
    for path in where:
        assert (ROOT / path).exists(), path
    shown = re.findall(r"`([^`]+)`", row[3])
    assert shown
    for named in shown:
        if named.startswith("make "):
            makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
            assert all(f"\n{target}:" in makefile for target in named.split()[1:]), named
            continue
        path, _, test = named.partition("::")
        source = (ROOT / path).read_text(encoding="utf-8")
        assert re.search(rf"^(async )?def {test}\(", source, re.MULTILINE), named


def test_every_path_that_the_operator_is_pointed_to_is_there() -> None:
    found = re.findall(r"`((?:deploy|docs|evosync|tests)/[\w./-]+)`", TEXT)
    for path in found:
        assert (ROOT / path).exists(), path
