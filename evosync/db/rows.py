"""Thousands of short rows, read at a fraction of the usual price.

The drivers, and SQLAlchemy above them, take their time per row and per value: with MariaDB seven times as long as
this, where the database makes one JSON document of some thousand rows, which is read in one go.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import orjson
from sqlalchemy import Column, ColumnElement, LargeBinary, Select, func, select, type_coerce
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.types import NullType

AT_ONCE = 5_000
"""Rows of one document: a megabyte or two, far below `group_concat_max_len` (see `engine`)."""


async def rows(
    connection: AsyncConnection,
    columns: Sequence[ColumnElement[Any]],
    of: Mapping[Column[Any], Any],
    *,
    by: Column[Any],
) -> list[Sequence[Any]]:
    """Rows whose columns equal `of`. `by` completes them to the primary key.

    Values are raw: digests in hexadecimal, truth as 0 and 1, times as text (see `types.utc`).
    """
    where = [column == value for column, value in of.items()]
    document = _document(connection, columns)
    found: list[Sequence[Any]] = []
    after: Any = None
    while True:
        here = where if after is None else [*where, by > after]
        upto = await connection.scalar(select(by).where(*here).order_by(by).offset(AT_ONCE - 1).limit(1))
        part = here if upto is None else [*here, by <= upto]
        found.extend(orjson.loads(await connection.scalar(document.where(*part)) or "[]"))
        if upto is None:
            return found
        after = upto


async def few_rows(
    connection: AsyncConnection, query: Select[Any], values: Mapping[str, Any] | None = None
) -> list[Sequence[Any]]:
    """All rows of a query that gives a few thousand at most; raw, as those of `rows`."""
    gathered = _document(connection, tuple(query.subquery().c))
    return list(orjson.loads(await connection.scalar(gathered, values) or "[]"))


def _document(connection: AsyncConnection, columns: Sequence[ColumnElement[Any]]) -> Select[Any]:
    gather = func.json_group_array if connection.dialect.name == "sqlite" else func.json_arrayagg
    row = func.json_array(*(_in_json(column) for column in columns), type_=NullType())
    return select(gather(row, type_=NullType()))


def _in_json(column: ColumnElement[Any]) -> ColumnElement[Any]:
    is_bytes = isinstance(getattr(column.type, "impl", column.type), LargeBinary)
    return func.hex(column) if is_bytes else type_coerce(column, NullType())
