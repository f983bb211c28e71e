"""A password that was forgotten, or that is to be another."""

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from evosync.accounts.letters import write_letter
from evosync.accounts.links import Links, find_link, use_link
from evosync.accounts.sessions import Sessions
from evosync.accounts.throttle import MAIL_ACCOUNT, MAIL_ADDRESS, PASSWORD_ACCOUNT, Throttle
from evosync.db import people, single_use, trail
from evosync.db.accounts import UserStatus
from evosync.db.engine import Database
from evosync.db.people import Person
from evosync.db.single_use import Purpose
from evosync.domain.ids import UserId
from evosync.security.passwords import Passwords
from evosync.words.letters import Kind

_OPENING = (Purpose.RESET, Purpose.INVITE, Purpose.CONFIRM)


class WrongPassword(Exception):
    """The present password is another one."""


async def forgot(
    database: Database, throttle: Throttle, links: Links, *, email: str, address: str, at: datetime
) -> None:
    """Sends a link if there is such an account, and says nothing about it. Raises `TooFast`."""
    await throttle.take(MAIL_ADDRESS, address)
    await throttle.take(MAIL_ACCOUNT, email)

    async def work(connection: AsyncConnection) -> None:
        known = await people.person_by_email(connection, email)
        if known is not None and known.status is not UserStatus.SUSPENDED:
            await send_reset(connection, links, known, at=at)

    await database.write(work)


async def send_reset(connection: AsyncConnection, links: Links, person: Person, *, at: datetime) -> None:
    """By mail, or by SMS to somebody who has no address. Also what an admin can cause, and no more."""
    link = await links.add(connection, person.id, Purpose.RESET, at=at)
    await write_letter(connection, person, Kind.RESET, at=at, link=link)


async def look_at_reset(database: Database, secret: str, *, at: datetime) -> Person | None:
    """Whose password the link would set. Raises `BadLink`."""

    async def work(connection: AsyncConnection) -> Person | None:
        link = await find_link(connection, secret, Purpose.RESET, at=at)
        return await people.person(connection, link.user)

    return await database.read(work)


async def reset(
    database: Database,
    passwords: Passwords,
    sessions: Sessions,
    *,
    secret: str,
    password: str,
    device: str,
    address: str,
    at: datetime,
) -> UserId:
    """Sets the password and ends all sign-ins. A pending account becomes active: the letter reached its owner.

    Raises `BadLink`.
    """
    hashed = await passwords.hash(password)

    async def work(connection: AsyncConnection) -> UserId:
        link = await use_link(connection, secret, Purpose.RESET, at=at)
        person = await people.lock_person(connection, link.user)
        assert person is not None, "a link goes with its account"  # noqa: S101 - the foreign key sees to it
        await set_password(connection, person, hashed, at=at)
        await write_letter(connection, person, Kind.PASSWORD_CHANGED, at=at, changed_at=at, device=device)
        await trail.record(connection, "password_reset", actor=person.id, user=person.id, at=at, address=address)
        return person.id

    user = await database.write(work)
    await sessions.end_all(user)
    return user


async def set_password(
    connection: AsyncConnection, person: Person, hashed: str, *, at: datetime, **more: object
) -> None:
    """By a link that reached the person: a pending account becomes active, a suspended one stays so."""
    values: dict[str, object] = {"password_hash": hashed, **more}
    if person.status is UserStatus.PENDING:
        values["status"] = UserStatus.ACTIVE.value
    if person.email and person.email_confirmed_at is None:
        values["email_confirmed_at"] = at
    await people.change_person(connection, person.id, **values)
    await single_use.drop(connection, person.id, _OPENING, at=at)


async def change_password(
    database: Database,
    passwords: Passwords,
    throttle: Throttle,
    sessions: Sessions,
    *,
    person: Person,
    present: str,
    new: str,
    device: str,
    address: str,
    at: datetime,
) -> None:
    """Ends every sign-in, the present one too: the caller makes a new one. Raises `TooFast`, `WrongPassword`."""
    await require_password(passwords, throttle, person, present)
    hashed = await passwords.hash(new)

    async def work(connection: AsyncConnection) -> None:
        await people.change_person(connection, person.id, password_hash=hashed)
        await single_use.drop(connection, person.id, _OPENING, at=at)
        await write_letter(connection, person, Kind.PASSWORD_CHANGED, at=at, changed_at=at, device=device)
        await trail.record(connection, "password_changed", actor=person.id, user=person.id, at=at, address=address)

    await database.write(work)
    await sessions.end_all(person.id)


async def require_password(passwords: Passwords, throttle: Throttle, person: Person, password: str) -> None:
    """Asks a signed-in person once more. Raises `TooFast`, `WrongPassword`."""
    await throttle.take(PASSWORD_ACCOUNT, person.id)
    if not await passwords.check(password, person.password_hash):
        raise WrongPassword
    await throttle.forget(PASSWORD_ACCOUNT, person.id)
