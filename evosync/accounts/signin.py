"""Signing in: the same answer, in the same time, whether the account exists or not."""

from dataclasses import dataclass
from datetime import datetime
from enum import Enum, auto

from evosync.accounts.addresses import folded
from evosync.accounts.throttle import SIGN_IN_ACCOUNT, SIGN_IN_ACCOUNT_HERE, SIGN_IN_ADDRESS, Throttle
from evosync.db import people, trail
from evosync.db.accounts import UserStatus
from evosync.db.engine import Database
from evosync.db.people import Person
from evosync.security.passwords import Passwords


class Verdict(Enum):
    """`PENDING` and `SUSPENDED` are told only to somebody who knows the password."""

    WELCOME = auto()
    WRONG = auto()
    PENDING = auto()
    SUSPENDED = auto()


@dataclass(frozen=True, slots=True)
class Attempt:
    """`person` is None for a wrong address or password."""

    verdict: Verdict
    person: Person | None = None


async def sign_in(
    database: Database,
    passwords: Passwords,
    throttle: Throttle,
    *,
    email: str,
    password: str,
    address: str,
    at: datetime,
) -> Attempt:
    """Checks a password. Raises `TooFast` before looking at it."""
    name = folded(email)
    await throttle.take(SIGN_IN_ADDRESS, address)
    await throttle.take(SIGN_IN_ACCOUNT_HERE, name, address)
    await throttle.take(SIGN_IN_ACCOUNT, name)
    person = await database.read(lambda connection: people.person_by_email(connection, name))
    if not await passwords.check(password, person.password_hash if person is not None else None) or person is None:
        return Attempt(Verdict.WRONG)
    await throttle.forget(SIGN_IN_ACCOUNT_HERE, name, address)
    if person.status is UserStatus.SUSPENDED:
        return Attempt(Verdict.SUSPENDED, person)
    if person.status is UserStatus.PENDING:
        return Attempt(Verdict.PENDING, person)
    await database.write(
        lambda connection: trail.record(
            connection, "signed_in", actor=person.id, user=person.id, at=at, address=address
        )
    )
    return Attempt(Verdict.WELCOME, person)
