"""What an admin does to other people's accounts. Every act stands in the audit trail, and so does a refused one.

Nobody touches an account that may do more than he himself, nor gives or takes a role that may: or an admin could
make himself a system user, or take one's place by changing his address.
"""

from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import Enum, auto
from typing import Any, Final, TypeVar

from sqlalchemy.ext.asyncio import AsyncConnection

from evosync.accounts import profile
from evosync.accounts.invites import open_account, send_invitation
from evosync.accounts.letters import write_letter
from evosync.accounts.links import Links
from evosync.accounts.profile import LastSystemUser
from evosync.accounts.recovery import send_reset
from evosync.accounts.sessions import Sessions
from evosync.accounts.throttle import Limit, Throttle
from evosync.accounts.till_events import Replayed, replay
from evosync.db import accounts, deliveries, mirrors, people, single_use, trail
from evosync.db.accounts import UserStatus
from evosync.db.admin import work as jobs
from evosync.db.admin.roles import Role, list_permissions, list_roles, lock_roles, set_permissions, set_roles
from evosync.db.admin.work import Revived
from evosync.db.engine import Database
from evosync.db.people import Person, Viewer
from evosync.db.single_use import Purpose
from evosync.domain.ids import UserId
from evosync.domain.mirror import Reason, Scope
from evosync.words.letters import Kind

T = TypeVar("T")

SYSTEM: Final = "system"
LINKS_ACCOUNT: Final = Limit("admin-links", 10, timedelta(hours=1))
"""Letters with a link that admins cause for one account."""

_OPENING: Final = (Purpose.RESET, Purpose.INVITE, Purpose.CONFIRM, Purpose.NEW_EMAIL)


class Why(Enum):
    """Why an act was refused. `RIGHTS`: the account may do more than the admin; the others are told beside it."""

    RIGHTS = auto()
    YOURSELF = auto()
    LAST_SYSTEM_USER = auto()
    NOWHERE_TO_SEND = auto()
    SUSPENDED = auto()
    ALREADY_HERE = auto()
    FIXED_ROLE = auto()


class Refused(Exception):
    """The act is not done."""

    def __init__(self, why: Why) -> None:
        super().__init__(why.name.lower())
        self.why = why


class Unknown(Exception):
    """No such person, role or work (any more)."""


@dataclass(frozen=True, slots=True)
class Desk:
    """Who administrates, from where, when, and what with."""

    database: Database
    links: Links
    sessions: Sessions
    throttle: Throttle
    by: Viewer
    address: str
    at: datetime
    sms: bool = False
    """Whether somebody without a mail address can be reached."""

    async def activate(self, user: UserId) -> bool:
        """Lifts a suspension, or lets somebody in whose address is not confirmed. False if he was active."""

        async def work(connection: AsyncConnection) -> bool:
            person, _ = await self._touched(connection, user)
            if person.status is UserStatus.ACTIVE:
                return False
            await people.change_person(connection, user, status=UserStatus.ACTIVE.value)
            lifted = person.status is UserStatus.SUSPENDED
            await self._record(connection, "suspension_lifted" if lifted else "activated", user)
            return True

        return await self._done(work, "activate", user)

    async def suspend(self, user: UserId, *, reason: str) -> bool:
        """Ends his sign-ins; a run that goes on stops before its next write. False if he was suspended."""

        async def work(connection: AsyncConnection) -> bool:
            person, viewer = await self._touched(connection, user)
            self._not_himself(user)
            if person.status is UserStatus.SUSPENDED:
                return False
            await _keep_one_system_user(connection, viewer)
            await people.change_person(connection, user, status=UserStatus.SUSPENDED.value)
            await self._record(connection, "suspended", user, **({"reason": reason} if reason else {}))
            return True

        done = await self._done(work, "suspend", user)
        await self.sessions.end_all(user)
        return done

    async def delete(self, user: UserId) -> None:
        """Erases the account, its keys and its history; what stands in VK stays."""

        async def work(connection: AsyncConnection) -> None:
            person, viewer = await self._touched(connection, user)
            self._not_himself(user)
            await _keep_one_system_user(connection, viewer)
            await profile.erase(connection, person, by=self.by.person, at=self.at)

        await self._done(work, "delete", user)
        await self.sessions.end_all(user)

    async def reset_password(self, user: UserId) -> None:
        """Sends a link; the old password holds until it is used. Raises `TooFast`."""

        async def work(connection: AsyncConnection) -> None:
            person, _ = await self._touched(connection, user)
            self._reachable(person)
            await single_use.drop(connection, user, [Purpose.RESET], at=self.at)
            await send_reset(connection, self.links, person, at=self.at)
            await self._record(connection, "reset_sent", user)

        await self.throttle.take(LINKS_ACCOUNT, user)
        await self._done(work, "reset_password", user)

    async def send_invite(self, user: UserId) -> None:
        """The earlier invitation is of no use any more. Raises `TooFast`."""

        async def work(connection: AsyncConnection) -> None:
            person, _ = await self._touched(connection, user)
            self._reachable(person)
            if person.status is UserStatus.SUSPENDED:
                raise Refused(Why.SUSPENDED)
            if person.status is UserStatus.ACTIVE and person.password_hash is not None:
                raise Refused(Why.ALREADY_HERE)
            await single_use.drop(connection, user, [Purpose.INVITE], at=self.at)
            await send_invitation(connection, self.links, person, who=self.by.person.called, at=self.at)
            await self._record(connection, "invitation_sent", user)

        await self.throttle.take(LINKS_ACCOUNT, user)
        await self._done(work, "send_invite", user)

    async def invite(
        self, *, email: str | None, phone: str | None, name: str, language: str, time_zone: str, role: str
    ) -> UserId:
        """Raises `Taken`, `Unknown` for a role that there is not."""

        async def work(connection: AsyncConnection) -> UserId:
            chosen = _role(await list_roles(connection), role)
            if not self.may_give(chosen):
                raise Refused(Why.RIGHTS)
            return await open_account(
                connection,
                self.links,
                by=self.by.person,
                email=email,
                phone=phone,
                name=name,
                language=language,
                time_zone=time_zone,
                at=self.at,
                role=role,
            )

        return await self._done(work, "invite", None)

    async def edit(
        self,
        user: UserId,
        *,
        name: str,
        email: str | None,
        phone: str | None,
        language: str,
        roles: Collection[str],
    ) -> frozenset[str]:
        """What changed, by name. Roles that the admin may not give stay as they are. Raises `Taken`, `TooFast`.

        Another address becomes the account's own when the link in the letter to it is pressed; that of an account
        which nobody has opened yet is changed at once, and gets the letter that opens it.
        """

        async def work(connection: AsyncConnection) -> frozenset[str]:
            person, viewer = await self._touched(connection, user)
            given = await self._give(connection, viewer, roles)
            wanted = {"name": name, "phone": phone, "language": language}
            changed = {field: value for field, value in wanted.items() if value != getattr(person, field)}
            if changed:
                await people.change_person(connection, user, **changed)
            is_moving = email is not None and email != person.email
            if email is not None and is_moving:
                await self._move(connection, replace(person, language=language), email)
            fields = sorted([*changed, *(["email"] if is_moving else [])])
            if fields:
                await self._record(connection, "edited", user, fields=fields)
            return frozenset([*fields, *(["roles"] if given else [])])

        if email is not None:
            now = await self.database.read(lambda connection: people.person(connection, user))
            if now is not None and now.email != email:
                await self.throttle.take(LINKS_ACCOUNT, user)
        return await self._done(work, "edit", user)

    async def _move(self, connection: AsyncConnection, person: Person, email: str) -> None:
        if person.status is UserStatus.PENDING:
            await single_use.drop(connection, person.id, _OPENING, at=self.at)
            await people.change_person(connection, person.id, email=email, email_confirmed_at=None)
            there = replace(person, email=email)
            if person.password_hash is None:
                await send_invitation(connection, self.links, there, who=self.by.person.called, at=self.at)
            else:
                link = await self.links.add(connection, person.id, Purpose.CONFIRM, at=self.at)
                await write_letter(connection, there, Kind.CONFIRM, at=self.at, link=link)
            return
        if await people.person_by_email(connection, email) is not None:
            raise accounts.Taken
        await single_use.drop(connection, person.id, [Purpose.NEW_EMAIL], at=self.at)
        link = await self.links.add(connection, person.id, Purpose.NEW_EMAIL, at=self.at, detail=email)
        await write_letter(connection, person, Kind.NEW_ADDRESS, at=self.at, link=link, to=email)

    async def _give(self, connection: AsyncConnection, viewer: Viewer, wanted: Collection[str]) -> bool:
        await lock_roles(connection)
        known = {role.name: role for role in await list_roles(connection)}
        if set(wanted) - known.keys():
            raise Unknown
        mine = {name for name, role in known.items() if self.may_give(role)}
        new = (set(wanted) - viewer.roles) | {name for name in wanted if name in viewer.roles}
        if (new - viewer.roles) - mine:
            raise Refused(Why.RIGHTS)
        after = new | (viewer.roles - mine)
        if after == viewer.roles:
            return False
        if SYSTEM in viewer.roles - after:
            await _keep_one_system_user(connection, viewer)
        await set_roles(connection, viewer.id, after)
        given, taken = sorted(after - viewer.roles), sorted(viewer.roles - after)
        await self._record(connection, "roles_changed", viewer.id, given=given, taken=taken)
        return True

    async def set_permissions(self, number: int, names: Collection[str]) -> bool:
        """What a role allows; False if it was so already. The system role is fixed: it allows everything."""

        async def work(connection: AsyncConnection) -> bool:
            await lock_roles(connection)
            role = next((one for one in await list_roles(connection) if one.id == number), None)
            known = set(await list_permissions(connection))
            if role is None or set(names) - known:
                raise Unknown
            if role.name == SYSTEM:
                raise Refused(Why.FIXED_ROLE)
            given, taken = set(names) - role.permissions, role.permissions - set(names)
            if (given | taken) - self.by.permissions:
                raise Refused(Why.RIGHTS)
            if not given and not taken:
                return False
            await set_permissions(connection, number, names)
            await self._record(
                connection, "permissions_changed", None, role=role.name, given=sorted(given), taken=sorted(taken)
            )
            return True

        return await self._done(work, "set_permissions", None)

    async def refuse(self, what: str, user: UserId) -> None:
        """For what a page can already tell to be too much. Raises `Refused`, as the act itself would."""

        async def work(_connection: AsyncConnection) -> None:
            raise Refused(Why.RIGHTS)

        await self._done(work, what, user)

    async def retry_run(self, user: UserId) -> None:
        """Wishes for a run at once; the caller nudges. A suspended or paused owner's run waits until he is back."""

        async def work(connection: AsyncConnection) -> None:
            person = await people.person(connection, user)
            if person is None:
                raise Unknown
            await mirrors.want(connection, user, scope=Scope.FULL, reason=Reason.RETRY, at=self.at)
            await self._record(connection, "run_retried", user)

        await self.database.write(work)

    async def replay(self, user: UserId, number: int) -> Replayed:
        """Does a delivery of this owner once more; the caller nudges him if a run is due, and the postman if not."""

        async def work(connection: AsyncConnection) -> Replayed:
            await self._touched(connection, user)
            found = await deliveries.one(connection, number)
            if found is None or found.user != user:
                raise Unknown
            became = await replay(connection, found, at=self.at)
            await self._record(connection, "delivery_replayed", user, number=number)
            return became

        return await self._done(work, "replay", user)

    async def retry_letter(self, number: int) -> Revived:
        """Makes a letter due at once; the caller nudges."""

        async def work(connection: AsyncConnection) -> Revived:
            found = await jobs.revive_letter(connection, number, at=self.at)
            if found is None:
                raise Unknown
            became, user = found
            if became is Revived.WAITING:
                await self._record(connection, "letter_retried", user, letter=number)
            return became

        return await self.database.write(work)

    def may_give(self, role: Role) -> bool:
        """Nobody gives or takes more than he has; the system role is for system users alone."""
        return role.permissions <= self.by.permissions and (role.name != SYSTEM or SYSTEM in self.by.roles)

    def may_touch(self, viewer: Viewer) -> bool:
        return viewer.permissions <= self.by.permissions and (SYSTEM not in viewer.roles or SYSTEM in self.by.roles)

    async def _touched(self, connection: AsyncConnection, user: UserId) -> tuple[Person, Viewer]:
        person = await people.lock_person(connection, user)
        viewer = await people.viewer(connection, user)
        if person is None or viewer is None:
            raise Unknown
        if not self.may_touch(viewer):
            raise Refused(Why.RIGHTS)
        return person, viewer

    def _not_himself(self, user: UserId) -> None:
        if user == self.by.id:
            raise Refused(Why.YOURSELF)

    def _reachable(self, person: Person) -> None:
        if not person.email and not (person.phone and self.sms):
            raise Refused(Why.NOWHERE_TO_SEND)

    async def _record(self, connection: AsyncConnection, action: str, user: UserId | None, **details: Any) -> None:
        await trail.record(connection, action, actor=self.by.id, user=user, at=self.at, address=self.address, **details)

    async def _done(self, work: Callable[[AsyncConnection], Awaitable[T]], what: str, user: UserId | None) -> T:
        try:
            return await self.database.write(work)
        except LastSystemUser:
            raise Refused(Why.LAST_SYSTEM_USER) from None
        except Refused as refused:
            if refused.why is Why.RIGHTS:
                await self.database.write(lambda connection: self._record(connection, "refused", user, what=what))
            raise


async def _keep_one_system_user(connection: AsyncConnection, viewer: Viewer) -> None:
    """Before he stops being one. Raises `Refused`."""
    if SYSTEM not in viewer.roles:
        return
    await lock_roles(connection)
    if await people.count_of_role(connection, SYSTEM, besides=viewer.id) == 0:
        raise Refused(Why.LAST_SYSTEM_USER)


def _role(known: Collection[Role], name: str) -> Role:
    found = next((role for role in known if role.name == name), None)
    if found is None:
        raise Unknown
    return found
