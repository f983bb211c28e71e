"""People, their links and letters, and the audit trail: the queries of the website."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import Column, RowMapping, Table, bindparam, delete, distinct, func, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from evosync.db.accounts import Taken as Taken  # noqa: PLC0414 - the pages know it from here
from evosync.db.accounts import UserStatus as UserStatus  # noqa: PLC0414 - as above
from evosync.db.accounts import create_user
from evosync.db.tables.choices import sync_configs, sync_filters
from evosync.db.tables.connections import evotor_connections, vk_connections
from evosync.db.tables.mirrors import mirrors
from evosync.db.tables.runs import sync_runs
from evosync.db.tables.site import audit, letters, links
from evosync.db.tables.till import cached_products, cached_stores
from evosync.db.tables.users import permissions, role_permissions, roles, user_roles, users
from evosync.domain.ids import UserId
from evosync.domain.status import NEEDS_OWNER

NOTICES: Final = ("broken", "expiring", "failing")
"""Letters that an owner can switch off; what is not named in his row is on."""


@dataclass(frozen=True, slots=True)
class Person:
    """An account. `notices` are the switches he has set."""

    id: UserId
    email: str | None
    phone: str | None
    name: str
    password_hash: str | None
    status: UserStatus
    language: str
    time_zone: str
    notices: Mapping[str, bool]
    email_confirmed_at: datetime | None
    consent_at: datetime | None
    created_at: datetime

    @property
    def called(self) -> str:
        """What the page calls him."""
        return self.name or self.email or self.phone or f"№ {self.id}"

    def wants(self, notice: str) -> bool:
        return bool(self.notices.get(notice, True))


@dataclass(frozen=True, slots=True)
class Viewer:
    """Whoever looks at a page, and what he may do there."""

    person: Person
    roles: frozenset[str]
    permissions: frozenset[str]

    @property
    def id(self) -> UserId:
        return self.person.id

    @property
    def is_admin(self) -> bool:
        """Whether the other building has a door for him."""
        return bool(self.permissions)

    def may(self, permission: str) -> bool:
        return permission in self.permissions


def _person(row: RowMapping) -> Person:
    return Person(
        id=UserId(row["id"]),
        email=row["email"],
        phone=row["phone"],
        name=row["name"],
        password_hash=row["password_hash"],
        status=UserStatus(row["status"]),
        language=row["language"],
        time_zone=row["time_zone"],
        notices=row["notices"] or {},
        email_confirmed_at=row["email_confirmed_at"],
        consent_at=row["consent_at"],
        created_at=row["created_at"],
    )


# Built once: every page asks these, and putting a statement together takes longer than running it.
_RIGHTS: Final = (
    select(roles.c.name, permissions.c.name)
    .select_from(
        user_roles.join(roles, roles.c.id == user_roles.c.role_id)
        .outerjoin(role_permissions, role_permissions.c.role_id == roles.c.id)
        .outerjoin(permissions, permissions.c.id == role_permissions.c.permission_id)
    )
    .where(user_roles.c.user_id == bindparam("user"))
)
_PERSON: Final = select(users).where(users.c.id == bindparam("user"))


async def person(connection: AsyncConnection, user: UserId) -> Person | None:
    row = (await connection.execute(_PERSON, {"user": user})).mappings().first()
    return _person(row) if row is not None else None


async def person_by_email(connection: AsyncConnection, email: str) -> Person | None:
    """`email` is folded."""
    row = (await connection.execute(select(users).where(users.c.email == email))).mappings().first()
    return _person(row) if row is not None else None


async def viewer(connection: AsyncConnection, user: UserId) -> Viewer | None:
    found = await person(connection, user)
    if found is None:
        return None
    rows = await connection.execute(_RIGHTS, {"user": user})
    held = [(role, permission) for role, permission in rows]
    return Viewer(
        found,
        roles=frozenset(role for role, _ in held),
        permissions=frozenset(permission for _, permission in held if permission),
    )


async def add_person(
    connection: AsyncConnection,
    *,
    email: str | None,
    name: str,
    password_hash: str | None,
    status: UserStatus,
    language: str,
    time_zone: str,
    at: datetime,
    phone: str | None = None,
    consent_at: datetime | None = None,
    role: str = "user",
) -> UserId:
    """Raises `Taken`."""
    return await create_user(
        connection,
        email=email,
        role=role,
        password_hash=password_hash,
        status=status,
        name=name,
        phone=phone,
        language=language,
        time_zone=time_zone,
        consent_at=consent_at,
        at=at,
    )


async def change_person(connection: AsyncConnection, user: UserId, **values: Any) -> None:
    """Sets columns of the row. Raises `Taken` where `email` belongs to somebody else."""
    try:
        async with connection.begin_nested():
            await connection.execute(update(users).where(users.c.id == user).values(**values))
    except IntegrityError as error:
        raise Taken from error


async def lock_person(connection: AsyncConnection, user: UserId) -> Person | None:
    """The row, held until the transaction ends (on SQLite a writer is alone anyway)."""
    row = (await connection.execute(select(users).where(users.c.id == user).with_for_update())).mappings().first()
    return _person(row) if row is not None else None


async def remove_person(connection: AsyncConnection, user: UserId) -> None:
    """Erases the account with everything that hangs on it: connections, catalogs, history, letters."""
    await connection.execute(delete(user_roles).where(user_roles.c.user_id == user))
    await connection.execute(delete(letters).where(letters.c.user_id == user))
    await connection.execute(delete(links).where(links.c.user_id == user))
    await connection.execute(delete(users).where(users.c.id == user))


async def count_of_role(connection: AsyncConnection, role: str, *, besides: UserId) -> int:
    """How many active people have the role, not counting one; until the transaction ends nobody else counts them."""
    await connection.execute(select(roles.c.id).where(roles.c.name == role).with_for_update())
    found = await connection.scalar(
        select(func.count())
        .select_from(
            user_roles.join(roles, roles.c.id == user_roles.c.role_id).join(users, users.c.id == user_roles.c.user_id)
        )
        .where(roles.c.name == role, user_roles.c.user_id != besides, users.c.status == UserStatus.ACTIVE.value)
    )
    return int(found or 0)


class Purpose(StrEnum):
    """What a single-use link is for."""

    CONFIRM = "confirm"
    NEW_EMAIL = "new_email"
    RESET = "reset"
    INVITE = "invite"


@dataclass(frozen=True, slots=True)
class Link:
    """A single-use link as it is kept: without the link itself."""

    id: int
    user: UserId
    purpose: Purpose
    nonce: bytes
    hash: bytes
    detail: str
    expires_at: datetime
    used_at: datetime | None


def _link(row: RowMapping) -> Link:
    return Link(
        id=row["id"],
        user=UserId(row["user_id"]),
        purpose=Purpose(row["purpose"]),
        nonce=bytes(row["nonce"]),
        hash=bytes(row["hash"]),
        detail=row["detail"],
        expires_at=row["expires_at"],
        used_at=row["used_at"],
    )


async def add_link(
    connection: AsyncConnection,
    *,
    user: UserId,
    purpose: Purpose,
    nonce: bytes,
    hashed: bytes,
    detail: str,
    at: datetime,
    expires_at: datetime,
) -> int:
    made = await connection.execute(
        insert(links).values(
            user_id=user,
            purpose=purpose.value,
            nonce=nonce,
            hash=hashed,
            detail=detail,
            created_at=at,
            expires_at=expires_at,
            used_at=None,
        )
    )
    return _new_id(made)


async def link_by_hash(connection: AsyncConnection, hashed: bytes) -> Link | None:
    row = (await connection.execute(select(links).where(links.c.hash == hashed))).mappings().first()
    return _link(row) if row is not None else None


async def link(connection: AsyncConnection, number: int) -> Link | None:
    row = (await connection.execute(select(links).where(links.c.id == number))).mappings().first()
    return _link(row) if row is not None else None


async def use_link(connection: AsyncConnection, number: int, *, at: datetime) -> bool:
    """True for exactly one of all who try."""
    changed = await connection.execute(
        update(links).where(links.c.id == number, links.c.used_at.is_(None), links.c.expires_at > at).values(used_at=at)
    )
    return bool(changed.rowcount == 1)


async def drop_links(connection: AsyncConnection, user: UserId, purposes: Iterable[Purpose], *, at: datetime) -> None:
    """Makes all unused links of these purposes useless."""
    wanted = [purpose.value for purpose in purposes]
    await connection.execute(
        update(links)
        .where(links.c.user_id == user, links.c.purpose.in_(wanted), links.c.used_at.is_(None))
        .values(used_at=at)
    )


class LetterState(StrEnum):
    """Where a letter is on its way."""

    WAITING = "waiting"
    SENT = "sent"
    FAILED = "failed"
    """Given up, or of no use any more."""


@dataclass(frozen=True, slots=True)
class LetterRow:
    """A letter of the outbox."""

    id: int
    user: UserId
    channel: str
    kind: str
    address: str
    language: str
    values: Mapping[str, Any]
    link_id: int | None
    tries: int
    created_at: datetime
    zone: str = ""


async def add_letter(
    connection: AsyncConnection,
    *,
    user: UserId,
    channel: str,
    kind: str,
    address: str,
    language: str,
    values: Mapping[str, Any],
    link_id: int | None,
    at: datetime,
) -> int:
    made = await connection.execute(
        insert(letters).values(
            user_id=user,
            channel=channel,
            kind=kind,
            address=address,
            language=language,
            values=dict(values),
            link_id=link_id,
            state=LetterState.WAITING.value,
            tries=0,
            error="",
            created_at=at,
            next_at=at,
            sent_at=None,
        )
    )
    return _new_id(made)


async def due_letters(connection: AsyncConnection, *, at: datetime, limit: int) -> Sequence[LetterRow]:
    rows = await connection.execute(
        select(letters, users.c.time_zone.label("zone"))
        .join(users, users.c.id == letters.c.user_id)
        .where(letters.c.state == LetterState.WAITING.value, letters.c.next_at <= at)
        .order_by(letters.c.next_at, letters.c.id)
        .limit(limit)
    )
    return [
        LetterRow(
            id=row["id"],
            user=UserId(row["user_id"]),
            channel=row["channel"],
            kind=row["kind"],
            address=row["address"],
            language=row["language"],
            values=row["values"],
            link_id=row["link_id"],
            tries=row["tries"],
            created_at=row["created_at"],
            zone=row["zone"],
        )
        for row in rows.mappings()
    ]


async def claim_letter(connection: AsyncConnection, letter: LetterRow, *, until: datetime) -> bool:
    """Takes the letter for this sender until then; True for exactly one of several processes."""
    changed = await connection.execute(
        update(letters)
        .where(
            letters.c.id == letter.id,
            letters.c.state == LetterState.WAITING.value,
            letters.c.tries == letter.tries,
        )
        .values(tries=letter.tries + 1, next_at=until)
    )
    return bool(changed.rowcount == 1)


async def finish_letter(
    connection: AsyncConnection, number: int, *, state: LetterState, error: str = "", at: datetime
) -> None:
    sent = at if state is LetterState.SENT else None
    await connection.execute(
        update(letters).where(letters.c.id == number).values(state=state.value, error=error, sent_at=sent)
    )


async def delay_letter(connection: AsyncConnection, number: int, *, error: str, next_at: datetime) -> None:
    await connection.execute(update(letters).where(letters.c.id == number).values(error=error, next_at=next_at))


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """Who did what to whose account."""

    id: int
    at: datetime
    action: str
    actor: UserId | None
    user: UserId | None
    address: str = ""
    details: Mapping[str, Any] = field(default_factory=dict)


async def record(
    connection: AsyncConnection,
    action: str,
    *,
    actor: UserId | None,
    user: UserId | None,
    at: datetime,
    address: str = "",
    **details: Any,
) -> None:
    """An entry of the audit trail. `details` never hold a name, an address of a person, or a secret."""
    await connection.execute(
        insert(audit).values(at=at, actor_id=actor, user_id=user, action=action, details=details, address=address[:45])
    )


async def audit_of(connection: AsyncConnection, user: UserId, *, limit: int) -> Sequence[AuditEntry]:
    """The newest first."""
    rows = await connection.execute(
        select(audit).where(audit.c.user_id == user).order_by(audit.c.at.desc(), audit.c.id.desc()).limit(limit)
    )
    return [
        AuditEntry(
            id=row["id"],
            at=row["at"],
            action=row["action"],
            actor=UserId(row["actor_id"]) if row["actor_id"] is not None else None,
            user=UserId(row["user_id"]) if row["user_id"] is not None else None,
            address=row["address"],
            details=row["details"] or {},
        )
        for row in rows.mappings()
    ]


def _new_id(result: Any) -> int:
    return int(result.inserted_primary_key[0])


@dataclass(frozen=True, slots=True)
class Glance:
    """What the head of every owner's page says of his mirror."""

    evotor: str | None = None
    """Health of the connection; None: not connected."""
    vk: str | None = None
    started_at: datetime | None = None
    paused_at: datetime | None = None
    is_running: bool = False
    done: int = 0
    total: int = 0
    last_outcome: str | None = None
    last_code: str = ""
    is_held_back: bool = False
    """VK stopped some writes for a while."""
    problems: int = 0


_running, _last = sync_runs.alias("running"), sync_runs.alias("last")
_GLANCE: Final = (
    select(
        evotor_connections.c.health.label("evotor"),
        evotor_connections.c.sealed.is_not(None).label("has_evotor"),
        vk_connections.c.health.label("vk"),
        vk_connections.c.sealed.is_not(None).label("has_vk"),
        sync_configs.c.started_at,
        sync_configs.c.paused_at,
        mirrors.c.pauses,
        _running.c.id.label("running"),
        _running.c.done,
        _running.c.total,
        _last.c.outcome,
        _last.c.code,
    )
    .select_from(
        users.outerjoin(evotor_connections, evotor_connections.c.user_id == users.c.id)
        .outerjoin(vk_connections, vk_connections.c.user_id == users.c.id)
        .outerjoin(sync_configs, sync_configs.c.user_id == users.c.id)
        .outerjoin(mirrors, mirrors.c.user_id == users.c.id)
        .outerjoin(_running, _running.c.id == mirrors.c.run_id)
        .outerjoin(_last, _last.c.id == mirrors.c.last_run_id)
    )
    .where(users.c.id == bindparam("user"))
)
_PROBLEMS: Final = select(func.count(distinct(cached_products.c.product_id))).where(
    cached_products.c.user_id == bindparam("user"),
    cached_products.c.status.in_(sorted(standing.value for standing in NEEDS_OWNER)),
    cached_products.c.gone_at.is_(None),
)


async def glance(connection: AsyncConnection, user: UserId, *, at: datetime) -> Glance:
    row = (await connection.execute(_GLANCE, {"user": user})).mappings().first()
    if row is None:
        return Glance()
    return Glance(
        evotor=row["evotor"] if row["has_evotor"] else None,
        vk=row["vk"] if row["has_vk"] else None,
        started_at=row["started_at"],
        paused_at=row["paused_at"],
        is_running=row["running"] is not None,
        done=row["done"] or 0,
        total=row["total"] or 0,
        last_outcome=row["outcome"],
        last_code=row["code"] or "",
        is_held_back=_holds(row["pauses"], at),
        problems=await count_problems(connection, user) if row["started_at"] is not None else 0,
    )


async def count_problems(connection: AsyncConnection, user: UserId) -> int:
    """Products that wait for their owner; one that several stores sell counts once."""
    found = await connection.scalar(_PROBLEMS, {"user": user})
    return int(found or 0)


def _holds(pauses: Any, at: datetime) -> bool:
    """`pauses` as the mirror's row has them: method → {"until": ISO time, …}."""
    if not isinstance(pauses, dict):
        return False
    ends = [pause.get("until") for pause in pauses.values() if isinstance(pause, dict)]
    return any(isinstance(end, str) and datetime.fromisoformat(end) > at for end in ends)


_SECRET_COLUMNS: Final = frozenset(
    {"password_hash", "sealed", "key_id", "fingerprint", "api_sealed", "api_key_id", "api_fingerprint", "user_id"}
)


async def everything_about(connection: AsyncConnection, user: UserId) -> dict[str, Any]:
    """Rows that concern a person, without secrets; of the catalogs, which are the clouds', only how much there is."""
    found: dict[str, Any] = {}
    for name, table in (
        ("evotor_connection", evotor_connections),
        ("vk_connection", vk_connections),
        ("settings", sync_configs),
        ("choices", sync_filters),
        ("stores", cached_stores),
    ):
        found[name] = await _rows(connection, select(*_open(table)).where(table.c.user_id == user))
    account = await _rows(connection, select(*_open(users)).where(users.c.id == user))
    held = await connection.execute(
        select(roles.c.name).join(user_roles, user_roles.c.role_id == roles.c.id).where(user_roles.c.user_id == user)
    )
    products = await connection.scalar(
        select(func.count()).select_from(cached_products).where(cached_products.c.user_id == user)
    )
    return {
        "account": account[0] if account else None,
        "roles": [name for (name,) in held],
        **found,
        "products_at_the_till": products,
        "updates": await _rows(
            connection,
            select(*_open(sync_runs)).where(sync_runs.c.user_id == user).order_by(sync_runs.c.id.desc()).limit(1000),
        ),
        "letters": await _rows(
            connection,
            select(letters.c.kind, letters.c.channel, letters.c.address, letters.c.created_at, letters.c.sent_at)
            .where(letters.c.user_id == user)
            .order_by(letters.c.id),
        ),
        "audit": await _rows(
            connection,
            select(audit.c.at, audit.c.action, audit.c.address, audit.c.details)
            .where(audit.c.user_id == user)
            .order_by(audit.c.id),
        ),
    }


def _open(table: Table) -> list[Column[Any]]:
    return [column for column in table.c if column.name not in _SECRET_COLUMNS]


async def _rows(connection: AsyncConnection, query: Any) -> list[dict[str, Any]]:
    rows = (await connection.execute(query)).mappings()
    return [{str(name): value for name, value in row.items()} for row in rows]
