"""What all tables share."""

from typing import Any

from sqlalchemy import Column, ForeignKey, MetaData, String, Table
from sqlalchemy.schema import SchemaItem

from evosync.db.types import BigId
from evosync.domain.ids import LONGEST

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

# Compares bytes, as SQLite does: no other collation keeps «еж», «Ёж» and «еж » apart. What is searched without
# regard to case has a folded column.
_MARIADB = {"engine": "InnoDB", "charset": "utf8mb4", "collate": "utf8mb4_nopad_bin"}
OPTIONS: dict[str, Any] = {f"{name}_{key}": value for name in ("mysql", "mariadb") for key, value in _MARIADB.items()}


def table(name: str, *items: SchemaItem) -> Table:
    return Table(name, metadata, *items, **OPTIONS)


def owner(*, primary_key: bool = True) -> Column[int]:
    """The user whose row it is; the row goes with the user."""
    return Column(
        "user_id",
        BigId,
        ForeignKey("users.id", ondelete="CASCADE"),
        primary_key=primary_key,
        nullable=False,
        autoincrement=False,
    )


def opaque(name: str, *, primary_key: bool = False, nullable: bool = False) -> Column[str]:
    """An id that a cloud gave."""
    return Column(name, String(LONGEST), primary_key=primary_key, nullable=nullable)
