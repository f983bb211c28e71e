"""Column types that behave the same on MariaDB and on SQLite."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import orjson
from sqlalchemy import BigInteger, DateTime, Dialect, Integer, LargeBinary, String, Text, TypeDecorator
from sqlalchemy.dialects import mysql
from sqlalchemy.types import TypeEngine

FOLDED = 255
"""Characters of a folded name or title that are kept for search, order and matching."""


BigId = BigInteger().with_variant(Integer(), "sqlite")
"""Every upsert burns a number of the counter on MariaDB, and only INTEGER counts by itself on SQLite."""


def storable(text: str) -> str:
    """`text` with lone surrogates, which no database takes, replaced by a question mark."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-8", "replace").decode()
    return text


def utc(text: str) -> datetime:
    """A stored time in its raw form; ten times as fast as setting the zone afterwards."""
    return datetime.fromisoformat(text + "+00:00")


def _read_time(value: Any) -> datetime | None:
    return utc(value) if isinstance(value, str) else value


def _mariadb(plain: TypeEngine[Any], special: TypeEngine[Any]) -> TypeEngine[Any]:
    return plain.with_variant(special, "mysql", "mariadb")


_Impl = TypeEngine[Any] | type[TypeEngine[Any]]


class UtcTime(TypeDecorator[datetime]):
    """Aware UTC, to the microsecond; a naive time is refused."""

    impl: _Impl = _mariadb(DateTime(), mysql.DATETIME(fsp=6))
    cache_ok: bool | None = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002 - SQLAlchemy's signature
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"a time without a zone: {value!r}")
        return value.astimezone(UTC).replace(tzinfo=None)

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[Any], datetime | None]:  # noqa: ARG002 - SQLAlchemy's signature
        return _read_time


class Words(TypeDecorator[str]):
    """Any text that a cloud or a person gave; cut at `length`, where there is one."""

    impl: _Impl = Text
    cache_ok: bool | None = True

    def __init__(self, length: int | None = None) -> None:
        super().__init__()
        self.length = length

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        if self.length is not None:
            return dialect.type_descriptor(String(self.length))
        return dialect.type_descriptor(_mariadb(Text(), mysql.MEDIUMTEXT()))

    def bind_processor(self, dialect: Dialect) -> Callable[[str | None], str | None]:  # noqa: ARG002 - SQLAlchemy's signature
        length = self.length
        return lambda text: None if text is None else storable(text[:length])


class Json(TypeDecorator[Any]):
    """Plain values as JSON text; not SQLAlchemy's JSON, which MariaDB keeps as LONGTEXT with a check of its own."""

    impl: _Impl = Text
    cache_ok: bool | None = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return dialect.type_descriptor(_mariadb(Text(), mysql.MEDIUMTEXT()))

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:  # noqa: ARG002 - SQLAlchemy's signature
        return None if value is None else to_json(value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> Any:  # noqa: ARG002 - SQLAlchemy's signature
        return None if value is None else orjson.loads(value)


def to_json(value: Any) -> str:
    try:
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()
    except TypeError:  # a lone surrogate, or a number beyond 64 bits
        return storable(json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":")))


class Numbers(TypeDecorator[tuple[int, ...]]):
    """A tuple of ids as `,1,2,`, so that `LIKE '%,1,%'` finds one. None and an empty tuple stay apart."""

    impl: _Impl = Text
    cache_ok: bool | None = True

    def process_bind_param(self, value: tuple[int, ...] | None, dialect: Dialect) -> str | None:  # noqa: ARG002 - SQLAlchemy's signature
        return None if value is None else "," + "".join(f"{number}," for number in value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> tuple[int, ...] | None:  # noqa: ARG002 - SQLAlchemy's signature
        return None if value is None else tuple(int(number) for number in value.split(",") if number)


def digest_type() -> TypeEngine[Any]:
    """A short digest; may be empty."""
    return _mariadb(LargeBinary(), mysql.VARBINARY(16))


def sealed_type() -> TypeEngine[Any]:
    """A sealed token."""
    return _mariadb(LargeBinary(), mysql.VARBINARY(2048))
