"""Making an account, and showing that its address is one's own."""

from dataclasses import replace
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from evosync.accounts.letters import write_letter
from evosync.accounts.links import Links, find_link, use_link
from evosync.accounts.throttle import MAIL_ACCOUNT, MAIL_ADDRESS, REGISTER_ADDRESS, Throttle
from evosync.db import accounts, people, single_use, trail
from evosync.db.accounts import Taken, UserStatus
from evosync.db.engine import Database
from evosync.db.people import Person
from evosync.db.single_use import Link, Purpose
from evosync.domain.ids import UserId
from evosync.security.passwords import Passwords
from evosync.words.letters import Kind


async def register(
    database: Database,
    passwords: Passwords,
    throttle: Throttle,
    links: Links,
    *,
    email: str,
    password: str,
    name: str,
    language: str,
    time_zone: str,
    address: str,
    at: datetime,
) -> None:
    """Whatever becomes of it, the answer is the same: a letter is on its way. Raises `TooFast`.

    A new address makes a pending account. One that waits for its confirmation is registered anew: the link of
    each letter carries the password that was typed for it, so that nobody confirms another's password. An active
    account gets a letter that says so.
    """
    await throttle.take(REGISTER_ADDRESS, address)
    await throttle.take(MAIL_ACCOUNT, email)
    # Hashed in every case, so that the answer takes as long in every case.
    hashed = await passwords.hash(password)

    async def work(connection: AsyncConnection) -> None:
        known = await people.person_by_email(connection, email)
        if known is None:
            made = await accounts.create_user(
                connection,
                email=email,
                role="user",
                name=name,
                password_hash=hashed,
                language=language,
                time_zone=time_zone,
                consent_at=at,
                at=at,
            )
            await trail.record(connection, "registered", actor=made, user=made, at=at, address=address)
            known = await people.person(connection, made)
        if known is not None:
            await _answer(connection, known, hashed)

    async def _answer(connection: AsyncConnection, known: Person, hashed: str) -> None:
        if known.status is UserStatus.PENDING:
            link = await links.add(connection, known.id, Purpose.CONFIRM, at=at, detail=hashed)
            spoken = replace(known, language=language)
            await write_letter(connection, spoken, Kind.CONFIRM, at=at, link=link)
        elif known.status is UserStatus.ACTIVE:
            await write_letter(connection, known, Kind.HAVE_ACCOUNT, at=at)

    try:
        await database.write(work)
    except Taken:
        # Two registrations of one address at once: the other one's row stands now.
        await database.write(work)


async def send_again(
    database: Database, throttle: Throttle, links: Links, *, email: str, address: str, at: datetime
) -> None:
    """Another letter for an address that waits for its confirmation; says nothing about any other. Raises `TooFast`."""
    await throttle.take(MAIL_ADDRESS, address)
    await throttle.take(MAIL_ACCOUNT, email)

    async def work(connection: AsyncConnection) -> None:
        known = await people.person_by_email(connection, email)
        if known is None or known.status is not UserStatus.PENDING:
            return
        if known.password_hash is None:  # invited: he has to choose a password first
            link = await links.add(connection, known.id, Purpose.RESET, at=at)
            await write_letter(connection, known, Kind.RESET, at=at, link=link)
            return
        link = await links.add(connection, known.id, Purpose.CONFIRM, at=at)
        await write_letter(connection, known, Kind.CONFIRM, at=at, link=link)

    await database.write(work)


async def look_at_confirmation(database: Database, secret: str, *, at: datetime) -> Link:
    """What the link would confirm. Raises `BadLink`."""
    return await database.read(
        lambda connection: find_link(connection, secret, Purpose.CONFIRM, Purpose.NEW_EMAIL, at=at)
    )


async def confirm(database: Database, secret: str, *, address: str, at: datetime) -> UserId:
    """Makes a pending account active, or the new address the account's own. Raises `BadLink`, `Taken`.

    A suspended account stays suspended.
    """

    async def work(connection: AsyncConnection) -> UserId:
        link = await use_link(connection, secret, Purpose.CONFIRM, Purpose.NEW_EMAIL, at=at)
        person = await people.lock_person(connection, link.user)
        assert person is not None, "a link goes with its account"  # noqa: S101 - the foreign key sees to it
        if link.purpose is Purpose.NEW_EMAIL:
            await _move(connection, person, link.detail, at=at, address=address)
            return person.id
        values: dict[str, object] = {"email_confirmed_at": at}
        if link.detail and person.status is UserStatus.PENDING:
            values["password_hash"] = link.detail
        if person.status is UserStatus.PENDING:
            values["status"] = UserStatus.ACTIVE.value
        await people.change_person(connection, person.id, **values)
        await single_use.drop(connection, person.id, [Purpose.CONFIRM], at=at)
        await trail.record(connection, "email_confirmed", actor=person.id, user=person.id, at=at, address=address)
        return person.id

    return await database.write(work)


async def _move(connection: AsyncConnection, person: Person, email: str, *, at: datetime, address: str) -> None:
    await people.change_person(connection, person.id, email=email, email_confirmed_at=at)
    # Letters to the former address must not open the account any more.
    await single_use.drop(connection, person.id, [Purpose.NEW_EMAIL, Purpose.RESET, Purpose.CONFIRM], at=at)
    if person.email:
        await write_letter(connection, person, Kind.ADDRESS_CHANGED, at=at, to=person.email, changed_at=at)
    await trail.record(connection, "email_changed", actor=person.id, user=person.id, at=at, address=address)
