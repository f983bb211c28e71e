"""What a person says about himself, and the end of his account."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from evosync.accounts.letters import write_letter
from evosync.accounts.links import Links
from evosync.accounts.recovery import require_password
from evosync.accounts.sessions import Sessions
from evosync.accounts.throttle import MAIL_ACCOUNT, Throttle
from evosync.db import people, trail
from evosync.db.accounts import UserStatus
from evosync.db.engine import Database
from evosync.db.people import NOTICES, Person
from evosync.db.single_use import Purpose
from evosync.db.takeout import everything_about
from evosync.security.passwords import Passwords
from evosync.words.letters import Kind


class LastSystemUser(Exception):
    """Without him nobody could give anybody a right."""


async def edit(
    database: Database, person: Person, *, name: str, phone: str | None, language: str, time_zone: str, at: datetime
) -> None:
    async def work(connection: AsyncConnection) -> None:
        await people.change_person(
            connection, person.id, name=name, phone=phone, language=language, time_zone=time_zone
        )
        await trail.record(connection, "profile_edited", actor=person.id, user=person.id, at=at)

    await database.write(work)


async def ask_for_address(
    database: Database,
    passwords: Passwords,
    throttle: Throttle,
    links: Links,
    *,
    person: Person,
    email: str,
    password: str,
    at: datetime,
) -> None:
    """A link to the new address; until it is pressed the account keeps the old one.

    An address that has an account gets a letter that says so, and the page says the same as ever.
    Raises `TooFast`, `WrongPassword`.
    """
    await require_password(passwords, throttle, person, password)
    await throttle.take(MAIL_ACCOUNT, email)

    async def work(connection: AsyncConnection) -> None:
        holder = await people.person_by_email(connection, email)
        if holder is not None:
            if holder.status is UserStatus.ACTIVE:
                await write_letter(connection, holder, Kind.HAVE_ACCOUNT, at=at)
            return
        link = await links.add(connection, person.id, Purpose.NEW_EMAIL, at=at, detail=email)
        await write_letter(connection, person, Kind.NEW_ADDRESS, at=at, link=link, to=email)
        await trail.record(connection, "email_change_asked", actor=person.id, user=person.id, at=at)

    await database.write(work)


async def switch_notice(database: Database, person: Person, notice: str, *, on: bool) -> None:
    """Raises KeyError for a notice that there is not."""
    if notice not in NOTICES:
        raise KeyError(notice)

    async def work(connection: AsyncConnection) -> None:
        held = await people.lock_person(connection, person.id)
        if held is not None:
            await people.change_person(connection, person.id, notices={**held.notices, notice: on})

    await database.write(work)


async def delete_account(
    database: Database,
    passwords: Passwords,
    throttle: Throttle,
    sessions: Sessions,
    *,
    person: Person,
    password: str,
    at: datetime,
) -> None:
    """Erases keys, history and personal data; what stands in VK stays there.

    Raises `TooFast`, `WrongPassword`, `LastSystemUser`.
    """
    await require_password(passwords, throttle, person, password)
    await database.write(lambda connection: erase(connection, person, by=person, at=at))
    await sessions.end_all(person.id)


async def erase(connection: AsyncConnection, person: Person, *, by: Person, at: datetime) -> None:
    """Also an admin's deletion. Raises `LastSystemUser`."""
    viewer = await people.viewer(connection, person.id)
    is_system = viewer is not None and "system" in viewer.roles
    if is_system and await people.count_of_role(connection, "system", besides=person.id) == 0:
        raise LastSystemUser
    await people.remove_person(connection, person.id)
    actor = None if by.id == person.id else by.id
    await trail.record(connection, "account_deleted", actor=actor, user=None, at=at, number=person.id)


async def my_data(database: Database, sessions: Sessions, person: Person, *, at: datetime) -> Mapping[str, Any]:
    """Everything kept about a person, but for secrets: those are of use to nobody but the service."""
    kept = await database.read(lambda connection: everything_about(connection, person.id))
    sign_ins = [
        {"device": one.agent, "address": one.address, "since": one.since, "last_used": one.seen}
        for one in await sessions.listed(person.id, at=at)
    ]
    return {"made_at": at, **kept, "sign_ins": sign_ins}
