"""The alerts and the dashboard speak of figures that there are."""

import json
import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from evosync.metrics import Metrics
from tests import services

DEPLOY = Path(__file__).parents[2] / "deploy"
CASES = Path(__file__).with_name("alerts_test.yml")


def rules() -> list[dict[str, Any]]:
    loaded = YAML(typ="safe").load(DEPLOY / "alerts.yml")
    return [rule for group in loaded["groups"] for rule in group["rules"]]


def panels() -> list[dict[str, Any]]:
    return list(json.loads((DEPLOY / "grafana.json").read_text(encoding="utf-8"))["panels"])


def expressions() -> Iterator[str]:
    yield from (rule["expr"] for rule in rules())
    yield from (target["expr"] for panel in panels() for target in panel["targets"])


OF_TARGETS = {"instance", "job"}
"""Labels that Prometheus adds to whatever it reads."""

NAME = r"\b(?:(?:evosync|process)_[a-z_]+|up)\b"


def exported() -> dict[str, set[str]]:
    """Names as Prometheus sees them, with their labels."""
    registry = Metrics().registry
    found = {"up": OF_TARGETS}
    for family in registry.collect():
        # Only the collector itself knows the labels of what was not counted yet.
        labels = getattr(registry._names_to_collectors.get(family.name), "_labelnames", ())
        suffixes = {"counter": ("_total",), "histogram": ("_bucket", "_sum", "_count")}.get(family.type, ("",))
        for suffix in suffixes:
            found[family.name + suffix] = {*labels, *OF_TARGETS} | ({"le"} if suffix == "_bucket" else set())
    return found


def split(names: str) -> set[str]:
    return {name.strip() for name in names.split(",") if name.strip()}


def selected(expression: str) -> Iterator[tuple[str, str]]:
    """Each name with each label that stands in braces after it."""
    for name, braces in re.findall(rf"({NAME})\{{([^}}]*)\}}", expression):
        for label in re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", re.sub(r'"[^"]*"', '""', braces)):
            yield name, label


def grouped(expression: str) -> Iterator[tuple[str, str]]:
    """Each label that is summed up by, with each name that it is asked of."""
    for by in re.finditer(r"\bby\s*\(([^)]*)\)\s*\(", expression):
        depth, end = 1, by.end()
        while depth:
            depth += {"(": 1, ")": -1}.get(expression[end], 0)
            end += 1
        for name in re.findall(NAME, expression[by.end() : end]):
            yield from ((name, label) for label in split(by[1]))


def kept(expression: str) -> set[str]:
    """Labels that the result has."""
    groups = [split(labels) for labels in re.findall(r"\bby\s*\(([^)]*)\)", expression)]
    if groups or re.search(r"\b(?:sum|max|min|count)\b", expression):
        return set().union(*groups)
    return set.union(*(exported()[name] for name in re.findall(NAME, expression)))


def test_every_expression_names_figures_that_are_exported() -> None:
    names = exported()
    for expression in expressions():
        found = re.findall(NAME, expression)
        assert found, expression
        for name in found:
            assert name in names, f"{name} in {expression}"


def test_every_label_that_is_chosen_or_summed_up_by_is_one_of_its_figure() -> None:
    names = exported()
    assert names["evosync_run_seconds_bucket"] == {"scope", "le", "instance", "job"}
    cases = [each["series"] for test in YAML(typ="safe").load(CASES)["tests"] for each in test["input_series"]]
    for expression in (*expressions(), *cases):
        for name, label in (*selected(expression), *grouped(expression)):
            assert label in names[name], f"{label} of {name} in {expression}"


def test_every_label_that_is_shown_is_left_in_the_result() -> None:
    shown = [(target["expr"], target["legendFormat"]) for panel in panels() for target in panel["targets"]]
    shown += [(rule["expr"], str(rule["annotations"])) for rule in rules()]
    for expression, text in shown:
        labels = re.findall(r"\{\{\s*(?:\$labels\.)?(\w+)\s*\}\}", text)
        assert set(labels) <= kept(expression), f"{text} of {expression}"


def test_every_figure_of_ours_is_seen_somewhere() -> None:
    seen = " ".join(expressions())
    for name in exported():
        base = re.sub(r"_(total|bucket|sum|count)$", "", name)
        if name.startswith("evosync_") and not name.endswith("_info"):
            assert base in seen, f"{base} is shown nowhere"


def test_every_alert_says_what_is_wrong_and_what_to_do() -> None:
    found = rules()
    assert len({rule["alert"] for rule in found}) == len(found) >= 10
    for rule in found:
        assert rule["labels"]["severity"] in {"page", "ticket"}
        assert rule["annotations"].keys() == {"summary", "action"}


def test_panels_do_not_overlap() -> None:
    taken = [(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in panels()]
    assert len(set(taken)) == len(taken)
    assert len({panel["id"] for panel in panels()}) == len(taken)


@pytest.fixture
def promtool(tmp_path: Path) -> Callable[..., str]:
    """In a folder with the rules and their cases; what it says when it is content."""
    binary = services.find("promtool")
    if binary is None:
        services.unavailable("no promtool on this machine (Debian's package prometheus)")
    for file in (DEPLOY / "alerts.yml", CASES):
        (tmp_path / file.name).write_bytes(file.read_bytes())

    def run(*words: str) -> str:
        done = subprocess.run([binary, *words], cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    return run


def test_promtool_accepts_the_rules(promtool: Callable[..., str]) -> None:
    assert f"{len(rules())} rules found" in promtool("check", "rules", "--lint=all", "--lint-fatal", "alerts.yml")


def test_every_alert_fires_when_it_shall_and_none_when_all_is_well(promtool: Callable[..., str]) -> None:
    assert "SUCCESS" in promtool("test", "rules", CASES.name)
    ill = YAML(typ="safe").load(CASES)["tests"][0]["promql_expr_test"][0]["exp_samples"]
    assert ill[0]["value"] == len(rules()), "a new alert has its case"


def test_promtool_reads_every_expression_of_the_dashboard(promtool: Callable[..., str], tmp_path: Path) -> None:
    found = [target["expr"].replace("$__rate_interval", "5m") for panel in panels() for target in panel["targets"]]
    written = {"groups": [{"name": "g", "rules": [{"record": f"r{n}", "expr": e} for n, e in enumerate(found)]}]}
    YAML().dump(written, tmp_path / "panels.yml")
    assert f"{len(found)} rules found" in promtool("check", "rules", "panels.yml")
