"""How a till of the Evotor cloud and an account here come together, and part: what the cloud's webhooks ask for."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from enum import Enum, auto
from typing import Final, TypeVar

from sqlalchemy.ext.asyncio import AsyncConnection

from evosync.accounts.invites import send_invitation
from evosync.accounts.links import Links
from evosync.accounts.signin import Verdict, sign_in
from evosync.accounts.throttle import Throttle
from evosync.accounts.till_events import obey
from evosync.db import accounts, deliveries, mirrors, people, till_accounts, trail
from evosync.db.accounts import Taken, UserStatus
from evosync.db.connections import Claimed, save_evotor
from evosync.db.deliveries import Delivery, Kind, State
from evosync.db.engine import Database
from evosync.db.people import Person
from evosync.db.till_accounts import TillAccount
from evosync.domain.connection import Health
from evosync.domain.errors import CloudError
from evosync.domain.ids import UserId
from evosync.domain.mirror import Reason, Scope
from evosync.security.passwords import Passwords
from evosync.security.seal import Sealer

T = TypeVar("T")

_ASKING_SECONDS: Final = 5.0
"""How long a till is asked whose it is; the cloud waits ten seconds for our answer (Evotor FACTS 4.6)."""


class Why(Enum):
    """Why a till was not linked. `LINKED_ELSEWHERE`: it is another account's. `HAS_ANOTHER`: the account has a till."""

    WRONG_LOGIN = auto()
    LINKED_ELSEWHERE = auto()
    HAS_ANOTHER = auto()
    KNOWN_ADDRESS = auto()


class NotLinked(Exception):
    """Nothing was changed. `user`: the account that it was about, where that is known."""

    def __init__(self, why: Why, user: UserId | None = None) -> None:
        super().__init__(why.name.lower())
        self.why = why
        self.user = user


@dataclass(frozen=True, slots=True)
class Linked:
    """The account of a till, and what the cloud shows from now on as this owner. `due`: a run is due at once."""

    user: UserId
    token: str
    due: bool = False

    def __repr__(self) -> str:
        return f"Linked({self.user})"


@dataclass(frozen=True, slots=True)
class Desk:
    """What linking needs. `whose` asks a till, by its cloud token, for its number; it raises a `CloudError`."""

    database: Database
    sealer: Sealer
    passwords: Passwords
    throttle: Throttle
    links: Links
    whose: Callable[[str], Awaitable[str]]
    sms: bool = False

    async def create(self, till_user: str, *, email: str | None, phone: str | None, at: datetime) -> Linked:
        """The account of a till, made if there is none. Raises `NotLinked`.

        A known address is not enough to attach a till: anybody may put another's address into his installation.
        """
        reported = None
        if email is not None:
            reported = await self._reported_by(email, till_user)

        async def work(connection: AsyncConnection) -> Linked:
            known = await till_accounts.by_till(connection, till_user)
            user = known.user if known is not None else reported
            if user is None:
                user = await self._new_account(connection, till_user, email=email, phone=phone, at=at)
            else:
                await till_accounts.tie(connection, user, till_user)
            linked = await self._linked(connection, user, till_user, at=at)
            await deliveries.add(connection, Delivery(Kind.CREATE, at, till_user, user, state=State.DONE, done_at=at))
            return linked

        try:
            return await self._twice(work)
        except Taken as error:
            raise NotLinked(Why.KNOWN_ADDRESS) from error

    async def verify(self, till_user: str, *, email: str, password: str, address: str, at: datetime) -> Linked:
        """Links a till to the account whose password its owner typed. Raises `NotLinked`, `TooFast`."""
        attempt = await sign_in(
            self.database, self.passwords, self.throttle, email=email, password=password, address=address, at=at
        )
        if attempt.verdict is not Verdict.WELCOME or attempt.person is None:
            raise NotLinked(Why.WRONG_LOGIN)
        user = attempt.person.id

        async def work(connection: AsyncConnection) -> Linked:
            await self._give_till(connection, till_user, user, at=at)
            linked = await self._linked(connection, user, till_user, at=at)
            await trail.record(connection, "till_linked", actor=user, user=user, at=at, address=address)
            await deliveries.add(connection, Delivery(Kind.VERIFY, at, till_user, user, state=State.DONE, done_at=at))
            return linked

        return await self._twice(work)

    async def take_token(self, till_user: str, token: str, *, at: datetime) -> UserId | None:
        """Keeps the cloud token; the last one wins. The owner whose run is due now, None if nobody's is.

        The run tests the token. The one that is in use already changes nothing.
        """

        async def work(connection: AsyncConnection) -> UserId | None:
            known = await till_accounts.by_till(connection, till_user)
            due = False
            if known is None:
                await till_accounts.keep_token(connection, till_user, token, sealer=self.sealer, at=at)
            else:
                due = await self._use_token(connection, known, token, at=at)
            user = known.user if known is not None else None
            await deliveries.add(connection, Delivery(Kind.TOKEN, at, till_user, user, state=State.DONE, done_at=at))
            return user if due else None

        return await self._twice(work)

    async def event(self, delivery: Delivery) -> UserId | None:
        """An installation's or a subscription's. The owner whose run is due now, None if nobody's is."""
        return await self.database.write(lambda connection: obey(connection, delivery))

    async def _reported_by(self, email: str, till_user: str) -> UserId | None:
        """The account with this address, if the till that is connected to it says itself that it is this one.

        None if nobody has the address, or the till is linked already. Raises `NotLinked`.
        """

        async def look(connection: AsyncConnection) -> tuple[UserId | None, str | None]:
            if await till_accounts.by_till(connection, till_user) is not None:
                return None, None
            person = await people.person_by_email(connection, email)
            if person is None:
                return None, None
            till = await till_accounts.by_user(connection, person.id)
            is_free = till is not None and till.is_connected and not till.till_user
            token = await till_accounts.cloud_token(connection, person.id, sealer=self.sealer) if is_free else None
            return person.id, token

        user, token = await self.database.read(look)
        if user is None:
            return None
        if token is not None:
            try:
                async with asyncio.timeout(_ASKING_SECONDS):
                    if await self.whose(token) == till_user:
                        return user
            except (CloudError, TimeoutError):
                pass  # then nobody has shown that they belong together
        raise NotLinked(Why.KNOWN_ADDRESS, user)

    async def _new_account(
        self, connection: AsyncConnection, till_user: str, *, email: str | None, phone: str | None, at: datetime
    ) -> UserId:
        if email is not None and await people.person_by_email(connection, email) is not None:
            raise NotLinked(Why.KNOWN_ADDRESS)
        if email is None and phone is not None and await till_accounts.is_phone_known(connection, phone):
            raise NotLinked(Why.KNOWN_ADDRESS)
        user = await accounts.create_user(connection, email=email, phone=phone, role="user", at=at)
        await till_accounts.tie(connection, user, till_user)
        person = await people.person(connection, user)
        if person is not None and _can_be_reached(person, sms=self.sms):
            await send_invitation(connection, self.links, person, who="Эвотор", at=at)
        await trail.record(connection, "opened_by_till", actor=None, user=user, at=at)
        return user

    async def _give_till(self, connection: AsyncConnection, till_user: str, user: UserId, *, at: datetime) -> None:
        """Raises `NotLinked`. An account that the cloud had made and nobody can sign in to gives its till away."""
        holder = await till_accounts.by_till(connection, till_user)
        mine = await till_accounts.by_user(connection, user)
        if holder is not None and holder.user == user:
            return
        if holder is not None and (holder.password_hash is not None or holder.status != UserStatus.PENDING.value):
            raise NotLinked(Why.LINKED_ELSEWHERE, user)
        if mine is not None and mine.is_connected and mine.till_user and mine.till_user != till_user:
            raise NotLinked(Why.HAS_ANOTHER, user)
        if holder is None:
            await till_accounts.tie(connection, user, till_user)
            return
        await till_accounts.move(connection, holder.user, user, sealer=self.sealer, at=at)
        await mirrors.want(connection, user, scope=Scope.FULL, reason=Reason.CONNECTED, at=at)
        if holder.email is None and holder.phone is None:
            await people.remove_person(connection, holder.user)

    async def _linked(self, connection: AsyncConnection, user: UserId, till_user: str, *, at: datetime) -> Linked:
        """With the token that came before the account, if one did."""
        token = await till_accounts.take_token(connection, till_user, sealer=self.sealer)
        known = await till_accounts.by_user(connection, user)
        due = token is not None and known is not None and await self._use_token(connection, known, token, at=at)
        return Linked(user, await till_accounts.user_token(connection, user, sealer=self.sealer), due)

    async def _use_token(self, connection: AsyncConnection, known: TillAccount, token: str, *, at: datetime) -> bool:
        """False for the one that is in use and good."""
        is_same = known.is_connected and known.fingerprint in self.sealer.fingerprints(token)
        if is_same and known.health is not Health.BROKEN:
            return False
        if not is_same:
            await save_evotor(connection, known.user, token, till_user=known.till_user, sealer=self.sealer, at=at)
            await trail.record(connection, "evotor_connected", actor=None, user=known.user, at=at)
        await mirrors.want(connection, known.user, scope=Scope.FULL, reason=Reason.CONNECTED, at=at)
        return True

    async def _twice(self, work: Callable[[AsyncConnection], Awaitable[T]]) -> T:
        """Of two that come at once, the slower one finds what the other has made."""
        try:
            return await self.database.write(work)
        except (Claimed, Taken):
            try:
                return await self.database.write(work)
            except Claimed as error:
                raise NotLinked(Why.LINKED_ELSEWHERE) from error


def _can_be_reached(person: Person, *, sms: bool) -> bool:
    return bool(person.email or (person.phone and sms))


__all__ = ["Desk", "Linked", "NotLinked", "Why"]
