"""What the README and docs/facts.md say can be looked up in the code, and what the code refers to stands there."""

import re
from collections.abc import Iterator
from pathlib import Path

from evosync.db.tables import metadata
from evosync.jobs import tasks, worker
from evosync.queue import DELIVER, DELIVER_ALL, LETTERS
from evosync.settings import names

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
FACTS = (ROOT / "docs" / "facts.md").read_text(encoding="utf-8")

_NUMBER = r"\d{1,2}(?:\.\d{1,2})?(?![\d.]*\d)"
_REFERENCE = re.compile(rf"(VK|Evotor) FACTS ({_NUMBER}(?:(?:, | and ){_NUMBER})*)")
"""Of several numbers too; those with more digits are VK's codes."""

_BARE = re.compile(r"(?<!VK )(?<!Evotor )FACTS \d")


def sources() -> Iterator[tuple[str, str]]:
    """Name and text of every file that may point to a fact."""
    for folder in ("evosync", "tests", "alembic"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            if path != Path(__file__).resolve():
                # A reference may go on in the next line.
                yield str(path.relative_to(ROOT)), re.sub(r"\s+#?\s*", " ", path.read_text(encoding="utf-8"))


def referred_to() -> dict[str, str]:
    """Each fact that is named, and a file that names it."""
    found: dict[str, str] = {}
    for name, text in sources():
        for cloud, numbers in _REFERENCE.findall(text):
            found |= {f"{cloud} {number}": name for number in re.split(", | and ", numbers)}
    return found


def told() -> list[str]:
    return re.findall(r"^#+ ((?:VK|Evotor) [\d.]+): ", FACTS, re.MULTILINE)


def section(title: str) -> str:
    return README.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def first_column(title: str) -> set[str]:
    """What stands in code in the first cells of a section's table."""
    cells = re.findall(r"^\| ([^|]*) \|", section(title), re.MULTILINE)
    return {name for cell in cells for name in re.findall(r"`([^`]+)`", cell)}


def test_every_fact_that_the_code_refers_to_is_told_and_no_other() -> None:
    found = referred_to()
    assert {fact: name for fact, name in found.items() if fact not in told()} == {}
    assert sorted(set(told()) - found.keys()) == []


def test_no_fact_is_told_twice_and_none_is_told_by_a_heading_alone() -> None:
    assert len(told()) == len(set(told()))
    for part in re.split(r"^### ", FACTS, flags=re.MULTILINE)[1:]:
        text = re.sub(r"\[[^]]+\]\([^)]+\)", "", part.partition("\n")[2].partition("\n## ")[0])
        assert len(text.split()) > 10, part


def test_a_reference_says_whose_fact_it_is() -> None:
    assert [name for name, text in sources() if _BARE.search(text)] == []


def test_the_readme_leads_to_the_facts() -> None:
    assert "(docs/facts.md)" in README


def test_the_readme_names_every_table_and_none_that_is_not_there() -> None:
    said = set(re.findall(r"`([a-z]+(?:_[a-z]+)*)`", section("Tables")))
    columns = {column.name for table in metadata.tables.values() for column in table.columns}
    assert metadata.tables.keys() <= said
    assert said - metadata.tables.keys() <= columns


def test_the_readme_names_every_job() -> None:
    cron = {str(job.name) for job in worker.cron_jobs()}
    assert first_column("Jobs") == cron | {DELIVER, DELIVER_ALL, LETTERS}
    assert tasks.EVERY.seconds == 10, "the README says so"


def test_every_setting_that_the_readme_lists_is_one() -> None:
    assert first_column("Settings") <= names()


def test_every_path_that_the_readme_leads_to_is_there() -> None:
    found = re.findall(r"\]\(([^)#:]+)\)", README) + re.findall(r"`((?:deploy|docs|evosync|tests)/[\w./-]+)`", README)
    assert found
    assert [path for path in found if not (ROOT / path).exists()] == []
