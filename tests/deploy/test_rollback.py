"""The way back, and an update during which the version before goes on: an older version works on newer tables.

No revision after the first takes away or narrows what a version before it reads, writes or names.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import pytest
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Inspector, inspect, text

from evosync import resources
from evosync.db import migrate
from evosync.db.engine import make_engine

# A query that names an index fails without it (`USE INDEX`), also while it is built anew; so each stands here or stays.
INDEXES: Final[Mapping[tuple[str, str], str]] = {
    ("0003", "ix_cached_products_list"): "gained columns; no query named it before",
    ("0005", "ix_cached_products_group"): "counts by group in its order; no query named it before",
    ("0007", "ix_sync_runs_user_started"): "gives way to one with `dry`; no query ever named it",
}
# 0006 changes rows and no table: a version before it finds names with «ё» by «е» alone until the till changes them.


@dataclass(frozen=True, slots=True)
class Shape:
    """Of one table. What a row must keep to is in `rules`: keys, unique indexes, references, checks."""

    columns: Mapping[str, tuple[str, bool, bool]]
    """Type, whether it may be null, whether a row that leaves it out gets a value."""
    indexes: Mapping[str, tuple[str, ...]]
    rules: frozenset[str]


def shapes(connection: Connection) -> dict[str, Shape]:
    found = inspect(connection)
    return {name: _shape(found, name) for name in found.get_table_names() if name != "alembic_version"}


def _shape(found: Inspector, table: str) -> Shape:
    columns = {
        column["name"]: (
            column["type"].compile(found.bind.dialect) + f" {getattr(column['type'], 'collation', None) or ''}",
            bool(column["nullable"]),
            bool(column["nullable"] or column["default"] is not None or column.get("autoincrement") is True),
        )
        for column in found.get_columns(table)
    }
    indexes = {str(index["name"]): (*map(str, index["column_names"]),) for index in found.get_indexes(table)}
    rules: list[Any] = [index["name"] for index in found.get_indexes(table) if index["unique"]]
    rules += [(each["constrained_columns"], each["referred_table"]) for each in found.get_foreign_keys(table)]
    rules += [each["sqltext"] for each in found.get_check_constraints(table)]
    rules += [found.get_pk_constraint(table)["constrained_columns"]]
    rules += [each["column_names"] for each in found.get_unique_constraints(table)]
    return Shape(columns, indexes, frozenset(map(str, rules)))


def broken(before: Mapping[str, Shape], after: Mapping[str, Shape]) -> Iterator[str]:
    """What a version that knows the tables before would miss or trip over in those after."""
    for name, old in before.items():
        new = after.get(name)
        if new is None:
            yield f"table {name} is gone"
            continue
        for column, kind in old.columns.items():
            if new.columns.get(column) != kind:
                yield f"column {name}.{column} is gone or another"
        for column in new.columns.keys() - old.columns.keys():
            if not new.columns[column][2]:
                yield f"column {name}.{column} must be given"
        if new.rules - old.rules:
            yield f"rules of {name} are stricter"


def lost(before: Mapping[str, Shape], after: Mapping[str, Shape]) -> set[str]:
    """Indexes that are gone, or other columns' now."""
    return {
        index
        for name, old in before.items()
        for index, columns in old.indexes.items()
        if name not in after or after[name].indexes.get(index) != columns
    }


async def look(url: str) -> dict[str, Shape]:
    engine = make_engine(url)
    async with engine.connect() as connection:
        found = await connection.run_sync(shapes)
    await engine.dispose()
    return found


def revisions() -> list[str]:
    """In their order."""
    return [each.revision for each in ScriptDirectory(str(resources.revisions())).walk_revisions()][::-1]


async def test_every_revision_only_adds_to_what_the_version_before_it_works_with(database_url: str) -> None:
    first, *later = revisions()
    await migrate.upgrade(database_url, first)
    before = await look(database_url)
    assert len(before) > 10
    gone: set[tuple[str, str]] = set()
    for revision in later:
        await migrate.upgrade(database_url, revision)
        after = await look(database_url)
        assert list(broken(before, after)) == [], revision
        gone |= {(revision, index) for index in lost(before, after)}
        before = after
    assert gone == set(INDEXES), "an index is taken away or changed only with a reason, which stands above"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("DROP TABLE letters", "table letters is gone"),
        ("ALTER TABLE letters RENAME COLUMN tries TO attempts", "column letters.tries is gone or another"),
        ("ALTER TABLE letters MODIFY error VARCHAR(100) NOT NULL", "column letters.error is gone or another"),
        ("ALTER TABLE letters MODIFY sent_at DATETIME(6) NOT NULL", "column letters.sent_at is gone or another"),
        ("ALTER TABLE letters ADD COLUMN more INT NOT NULL", "column letters.more must be given"),
        ("CREATE UNIQUE INDEX one_each ON letters (user_id, kind)", "rules of letters are stricter"),
        ("ALTER TABLE letters ADD CHECK (tries < 5)", "rules of letters are stricter"),
        ("ALTER TABLE letters ADD COLUMN more INT NULL", None),
        ("ALTER TABLE letters ADD COLUMN more INT NOT NULL DEFAULT 1", None),
    ],
)
async def test_a_revision_that_would_trip_an_older_version_up_does_not_pass(
    mariadb_url: str, change: str, said: str | None
) -> None:
    await migrate.upgrade(mariadb_url)
    before = await look(mariadb_url)
    engine = make_engine(mariadb_url)
    async with engine.begin() as connection:
        await connection.execute(text(change))
    await engine.dispose()
    found = list(broken(before, await look(mariadb_url)))
    assert (said in found) if said is not None else found == []


async def test_an_index_that_goes_is_seen(mariadb_url: str) -> None:
    await migrate.upgrade(mariadb_url)
    before = await look(mariadb_url)
    engine = make_engine(mariadb_url)
    async with engine.begin() as connection:
        await connection.execute(text("DROP INDEX ix_audit_at ON audit"))
    await engine.dispose()
    assert lost(before, await look(mariadb_url)) == {"ix_audit_at"}
