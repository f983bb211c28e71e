"""Thousands of short rows, read at a tenth of the usual price.

The driver of MariaDB spends its time per row and per value. There the server makes one JSON document of some
thousand rows, which is read in one go. SQLite gains nothing by that; its rows come as the driver gives them.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import orjson
from sqlalchemy import Column, ColumnElement, LargeBinary, Select, func, select, type_coerce
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.types import NullType

AT_ONCE = 5_000
"""Rows of one document: a megabyte or two, far below `group_concat_max_len` (see `engine`)."""

Digests = Callable[[Any], bytes]


async def rows(
    connection: AsyncConnection,
    columns: Sequence[ColumnElement[Any]],
    of: Mapping[Column[Any], Any],
    *,
    by: Column[Any],
) -> tuple[list[Sequence[Any]], Digests]:
    """Rows whose columns equal `of`, and what makes a digest of its raw form in them. `by` is unique among them.

    Values are raw: truth as 0 and 1, times as text (see `time`).
    """
    where = [column == value for column, value in of.items()]
    if connection.dialect.name == "sqlite":
        raw = select(*(type_coerce(column, NullType()) for column in columns)).where(*where)
        return list((await connection.execute(raw)).all()), bytes
    document: Select[Any] = select(
        func.json_arrayagg(
            func.json_array(*(_in_json(column) for column in columns), type_=NullType()), type_=NullType()
        )
    )
    found: list[Sequence[Any]] = []
    after: Any = None
    while True:
        here = where if after is None else [*where, by > after]
        upto = await connection.scalar(select(by).where(*here).order_by(by).offset(AT_ONCE - 1).limit(1))
        part = here if upto is None else [*here, by <= upto]
        found.extend(orjson.loads(await connection.scalar(document.where(*part)) or "[]"))
        if upto is None:
            return found, bytes.fromhex
        after = upto


def _in_json(column: ColumnElement[Any]) -> ColumnElement[Any]:
    is_bytes = isinstance(getattr(column.type, "impl", column.type), LargeBinary)
    return func.hex(column) if is_bytes else type_coerce(column, NullType())
