"""Accounts that somebody else opens; the person himself chooses the password."""

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from evosync.accounts.letters import write_letter
from evosync.accounts.links import Links, find_link, use_link
from evosync.accounts.recovery import set_password
from evosync.accounts.sessions import Sessions
from evosync.db import accounts, people, trail
from evosync.db.engine import Database
from evosync.db.people import Person
from evosync.db.single_use import Purpose
from evosync.domain.ids import UserId
from evosync.security.passwords import Passwords
from evosync.words.letters import Kind


async def open_account(
    connection: AsyncConnection,
    links: Links,
    *,
    by: Person,
    email: str | None,
    phone: str | None,
    name: str,
    language: str,
    time_zone: str,
    at: datetime,
    role: str = "user",
) -> UserId:
    """A pending account and the invitation to it. Raises `Taken`."""
    user = await accounts.create_user(
        connection,
        email=email,
        phone=phone,
        name=name,
        language=language,
        time_zone=time_zone,
        at=at,
        role=role,
    )
    person = await people.person(connection, user)
    if person is not None:
        await send_invitation(connection, links, person, who=by.called, at=at)
    await trail.record(connection, "invited", actor=by.id, user=user, at=at)
    return user


async def send_invitation(connection: AsyncConnection, links: Links, person: Person, *, who: str, at: datetime) -> None:
    """By mail, or by SMS to somebody who has no address."""
    link = await links.add(connection, person.id, Purpose.INVITE, at=at)
    await write_letter(connection, person, Kind.INVITE, at=at, link=link, who=who)


async def look_at_invitation(database: Database, secret: str, *, at: datetime) -> Person | None:
    """Whom the link invites. Raises `BadLink`."""

    async def work(connection: AsyncConnection) -> Person | None:
        link = await find_link(connection, secret, Purpose.INVITE, at=at)
        return await people.person(connection, link.user)

    return await database.read(work)


async def accept(
    database: Database,
    passwords: Passwords,
    sessions: Sessions,
    *,
    secret: str,
    name: str,
    password: str,
    address: str,
    at: datetime,
) -> UserId:
    """Sets name, password and consent; a suspended account stays suspended. Raises `BadLink`."""
    hashed = await passwords.hash(password)

    async def work(connection: AsyncConnection) -> UserId:
        link = await use_link(connection, secret, Purpose.INVITE, at=at)
        person = await people.lock_person(connection, link.user)
        assert person is not None, "a link goes with its account"  # noqa: S101 - the foreign key sees to it
        await set_password(connection, person, hashed, at=at, name=name, consent_at=at)
        await trail.record(connection, "invitation_accepted", actor=person.id, user=person.id, at=at, address=address)
        return person.id

    user = await database.write(work)
    await sessions.end_all(user)
    return user
