"""The list of people with how their mirrors are."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    RowMapping,
    Select,
    distinct,
    exists,
    func,
    or_,
    select,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from evosync.db.accounts import UserStatus
from evosync.db.admin.around import LAST, PAGE, STALE, E, M, S, U, V, around, carried, is_broken, like
from evosync.db.glance import SHOWN_STORES, Glance, glance_of
from evosync.db.tables.runs import sync_runs
from evosync.db.tables.till import cached_products, cached_stores
from evosync.db.tables.users import roles, user_roles
from evosync.domain.ids import UserId
from evosync.domain.mirror import StoreState
from evosync.domain.status import NEEDS_OWNER

_running = sync_runs.alias("running")


class State(StrEnum):
    """What the list of people is narrowed to."""

    ALL = ""
    NEEDS = "needs"
    STALE = "stale"
    PENDING = "pending"
    SUSPENDED = "suspended"


@dataclass(frozen=True, slots=True)
class Wanted:
    """`text` is looked for in address, name, phone and community; `role` is a role's name, or empty."""

    text: str = ""
    role: str = ""
    state: State = State.ALL


@dataclass(frozen=True, slots=True)
class PersonRow:
    """One line of the list. `products` are those at the till; None before it was ever read."""

    id: UserId
    name: str
    email: str | None
    phone: str | None
    status: UserStatus
    created_at: datetime
    glance: Glance
    stores: int = 0
    unpaid: int = 0
    community: str = ""
    products: int | None = None
    last_at: datetime | None = None

    @property
    def called(self) -> str:
        return self.name or self.email or self.phone or f"№ {self.id}"


def _is_in(state: State, at: datetime) -> list[ColumnElement[bool]]:
    active = U.status == UserStatus.ACTIVE.value
    if state is State.NEEDS:
        return [active, is_broken()]
    if state is State.STALE:
        lately = exists().where(*carried(U.id), sync_runs.c.finished_at > at - STALE)
        # What VK did not let be done stays undone, however many runs after that carry over what is new.
        is_behind = M.behind_since <= at - STALE
        return [active, S.started_at <= at - STALE, S.paused_at.is_(None), or_(~lately, is_behind)]
    if state in {State.PENDING, State.SUSPENDED}:
        return [U.status == state.value]
    return []


def _matches(text: str) -> ColumnElement[bool]:
    # SQLite folds ASCII alone, so the usual spellings of a Russian name are tried one by one.
    spellings = {text, text.lower(), text.upper(), text.capitalize(), text.title()}
    found: list[ColumnElement[bool]] = [U.email.like(like(text.casefold()), escape="\\")]
    for column in (U.name, V.community_name):
        found.append(func.lower(column).like(like(text.lower()), escape="\\"))
        found += [column.like(like(spelling), escape="\\") for spelling in sorted(spellings)]
    digits = "".join(char for char in text if char.isdecimal() and char.isascii())
    if len(digits) >= 4 and not any(char.isalpha() for char in text):
        local = digits[1:] if len(digits) == 11 and digits[0] in "78" else digits
        found += [U.phone.like(like(local)), V.group_id == int(digits[:18])]
    if digits and digits == text.removeprefix("club"):
        found.append(V.group_id == int(digits[:18]))
    return or_(*found)


def _narrowed(query: Select[Any], wanted: Wanted, at: datetime) -> Select[Any]:
    query = query.where(*_is_in(wanted.state, at))
    if wanted.text:
        query = query.where(_matches(wanted.text))
    if wanted.role:
        held = (
            select(user_roles.c.user_id)
            .join(roles, roles.c.id == user_roles.c.role_id)
            .where(roles.c.name == wanted.role)
        )
        query = query.where(U.id.in_(held))
    return query


async def count_people(connection: AsyncConnection, wanted: Wanted, *, at: datetime) -> Mapping[State, int]:
    """How many there are in each state, by the same text and role."""
    found = {}
    for state in State:
        asked = Wanted(wanted.text, wanted.role, state)
        query = _narrowed(select(func.count(U.id)).select_from(around()), asked, at)
        found[state] = int(await connection.scalar(query) or 0)
    return found


async def list_people(connection: AsyncConnection, wanted: Wanted, *, page: int, at: datetime) -> Sequence[PersonRow]:
    """The newest accounts first; pages count from 1."""
    query = _narrowed(_person_query(), wanted, at).order_by(U.created_at.desc(), U.id.desc())
    rows = (await connection.execute(query.limit(PAGE).offset((page - 1) * PAGE))).mappings().all()
    return await _people(connection, rows, at)


async def find_person(connection: AsyncConnection, user: UserId, *, at: datetime) -> PersonRow | None:
    rows = (await connection.execute(_person_query().where(U.id == user))).mappings().all()
    found = await _people(connection, rows, at)
    return found[0] if found else None


def _person_query() -> Select[Any]:
    return select(
        *(U.id, U.name, U.email, U.phone, U.status, U.created_at),
        *(S.started_at, S.paused_at, M.pauses, M.readings, SHOWN_STORES),
        E.health.label("evotor"),
        E.sealed.is_not(None).label("has_evotor"),
        V.health.label("vk"),
        V.sealed.is_not(None).label("has_vk"),
        *(V.community_name, V.group_id),
        _running.c.id.label("running"),
        *(_running.c.done, _running.c.total),
        *(LAST.c.outcome, LAST.c.code, LAST.c.finished_at),
    ).select_from(around().outerjoin(_running, _running.c.id == M.run_id))


async def _people(connection: AsyncConnection, rows: Sequence[RowMapping], at: datetime) -> Sequence[PersonRow]:
    numbers = [row["id"] for row in rows]
    stores = await _counted(connection, cached_stores.c.user_id, numbers, func.count())
    c = cached_products.c
    each = func.count(distinct(c.product_id))
    products = await _counted(connection, c.user_id, numbers, each, c.gone_at.is_(None))
    waiting = await _counted(connection, c.user_id, numbers, each, c.gone_at.is_(None), c.status.in_(_NEEDING))
    return [
        _person_row(row, stores.get(row["id"], 0), products.get(row["id"]), waiting.get(row["id"], 0), at)
        for row in rows
    ]


_NEEDING: Final = sorted(standing.value for standing in NEEDS_OWNER)


async def _counted(
    connection: AsyncConnection,
    by: ColumnElement[Any],
    numbers: Collection[int],
    what: ColumnElement[int],
    *conditions: ColumnElement[bool],
) -> Mapping[int, int]:
    if not numbers:
        return {}
    query = select(by, what).where(by.in_(numbers), *conditions).group_by(by)
    return {user: int(count) for user, count in await connection.execute(query)}


def _person_row(row: RowMapping, stores: int, products: int | None, waiting: int, at: datetime) -> PersonRow:
    readings: Mapping[str, Mapping[str, Any]] = row["readings"] or {}
    return PersonRow(
        id=UserId(row["id"]),
        name=row["name"],
        email=row["email"],
        phone=row["phone"],
        status=UserStatus(row["status"]),
        created_at=row["created_at"],
        glance=glance_of(row, waiting, at=at),
        stores=stores,
        unpaid=sum(reading.get("state") == StoreState.UNPAID.value for reading in readings.values()),
        community=(row["community_name"] or f"club{row['group_id']}") if row["has_vk"] else "",
        products=products,
        last_at=row["finished_at"],
    )
