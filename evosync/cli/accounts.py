"""`user create` and `connect`."""

import argparse
import getpass
import re
import sys
from collections.abc import Iterator, Sequence
from datetime import datetime

from evosync.accounts.pasted import NotACommunity, NotAKey, read_community, read_key
from evosync.app import Core
from evosync.cli.errors import UserError
from evosync.cli.terminal import said
from evosync.db import accounts, connections, people
from evosync.domain.connection import Token
from evosync.domain.errors import CloudError
from evosync.domain.ids import CommunityId, UserId
from evosync.domain.mirror import Reason, Scope
from evosync.security.passwords import Passwords
from evosync.vk.connect import Checked, Step, check_connection, community_named

_SHORTEST_PASSWORD = 8
_STEPS = {
    Step.TOKEN: "the token works",
    Step.RIGHTS: "it has the rights market, photos, groups",
    Step.COMMUNITY: "the community has a shop in roubles, and the person may edit it",
    Step.CATALOG: "the catalog can be read",
    Step.WRITING: "pictures can be uploaded",
}


async def find(core: Core, email: str) -> UserId:
    """Raises `UserError` for an unknown address."""
    folded = accounts.fold_email(email)
    person = await core.database.read(lambda connection: people.person_by_email(connection, folded))
    if person is None:
        raise UserError(f"no account has the email {email}; make one: evosync user create {email} --role user")
    return person.id


async def create(core: Core, options: argparse.Namespace) -> int:
    email = options.email
    if not re.fullmatch(r"[^@\s]+@[^@\s]+", email):
        raise UserError(f"{email} is no email address")
    password = _secret("Password: ", from_stdin=options.password_stdin)
    if len(password) < _SHORTEST_PASSWORD:
        raise UserError(f"the password is too short: use at least {_SHORTEST_PASSWORD} characters")
    async with Passwords() as passwords:
        hashed = await passwords.hash(password)
    try:
        user = await core.database.write(
            lambda connection: accounts.create_user(
                connection,
                email=email,
                role=options.role,
                password_hash=hashed,
                status=accounts.UserStatus.ACTIVE,
                at=core.clock(),
            )
        )
    except accounts.Taken:
        raise UserError(f"{email} has an account already") from None
    print(f"Made account {user} for {email} ({options.role}).")
    return 0


async def connect(core: Core, options: argparse.Namespace) -> int:
    user = await find(core, options.email)
    if options.side == "evotor" and options.group_id is not None:
        raise UserError("--group-id is for vk alone")
    if options.side == "vk" and options.group_id is None:
        raise UserError("name the community: evosync connect EMAIL vk --group-id N")
    try:
        typed = read_community(options.group_id) if options.group_id is not None else None
    except NotACommunity:
        raise UserError(f"{options.group_id} is no community: use its number, as in vk.com/club123") from None
    try:
        key = read_key(_secret("Token: ", from_stdin=not sys.stdin.isatty()))
    except NotAKey:
        raise UserError("no token was given: paste it, or hand it over on standard input") from None
    token = Token(key.secret, core.sealer.fingerprint(key.secret))
    try:
        if typed is None:
            await _connect_evotor(core, user, token)
        else:
            community = await _numbered(core, token, typed)
            await _connect_vk(core, user, token, community, expires_at=key.expires_at(core.clock()))
    except connections.Claimed:
        whose = "this till account" if typed is None else "this community"
        raise UserError(f"{whose} belongs to another owner here: disconnect it there first") from None
    await core.ledger.want(user, scope=Scope.FULL, reason=Reason.CONNECTED, at=core.clock())
    return 0


async def _connect_evotor(core: Core, user: UserId, token: Token) -> None:
    try:
        account = await core.clients.till_for(token).verify()
    except CloudError as error:
        raise UserError(f"Evotor does not take the token ({error.code}). {said(error.code)}".rstrip()) from None
    await core.database.write(
        lambda connection: connections.save_evotor(
            connection, user, token.secret, till_user=account.till_user or None, sealer=core.sealer, at=core.clock()
        )
    )
    print("Connected. Stores: " + (", ".join(store.name for store in account.stores) or "none yet"))


async def _numbered(core: Core, token: Token, community: CommunityId | str) -> CommunityId:
    """The number behind a short name."""
    if not isinstance(community, str):
        return community
    try:
        found = await community_named(core.clients.vk, token, community)
    except CloudError as error:
        raise UserError(f"VK does not tell what vk.com/{community} is ({error.code}). {said(error.code)}") from None
    if found is None:
        raise UserError(f"VK knows no community vk.com/{community}")
    return found


async def _connect_vk(
    core: Core, user: UserId, token: Token, community: CommunityId, *, expires_at: datetime | None
) -> None:
    checked = await check_connection(core.clients.vk, token, community)
    for step in _telling(checked):
        print(f"  {'ok ' if step.ok else 'NO '} {_STEPS[step.step]}{_found(step)}")
    if not all(step.ok for step in checked):
        raise UserError("VK was not connected: see what is marked with NO above.")
    values = {step.step: step.values for step in checked}
    await core.database.write(
        lambda connection: connections.save_vk(
            connection,
            user,
            token.secret,
            community=community,
            name=values[Step.COMMUNITY].get("name", ""),
            vk_user_id=_number(values[Step.TOKEN].get("person", "")),
            expires_at=expires_at,
            sealer=core.sealer,
            at=core.clock(),
        )
    )
    print(f"Connected to {values[Step.COMMUNITY].get('name', community)}.")


def _telling(checked: Sequence[Checked]) -> Iterator[Checked]:
    """Without those that only follow from another: of one cause a person is told once."""
    told: list[Checked] = []
    for step in checked:
        follows = told and (
            told[0].step is Step.TOKEN
            or step.step in {Step.CATALOG, Step.WRITING}
            or step.code in {cause.code for cause in told}
        )
        if step.ok:
            yield step
        elif not follows:
            told.append(step)
            yield step


def _found(step: Checked) -> str:
    facts = [f"{name} {value}" for name, value in step.values.items() if value]
    # VK says of a number that no community has only that it is wrong, as it says of many things.
    is_nowhere = step.step is Step.COMMUNITY and step.code == "VK 100"
    words = said("no_community" if is_nowhere else step.code) if not step.ok else ""
    shown = [*facts, *([step.code] if not step.ok and step.code else []), *([words] if words else [])]
    return f" ({'; '.join(shown)})" if shown else ""


def _number(text: str) -> int | None:
    return int(text) if text.isdecimal() else None


def _secret(prompt: str, *, from_stdin: bool) -> str:
    if from_stdin:
        return sys.stdin.readline().strip()
    return getpass.getpass(prompt).strip()


__all__: Sequence[str] = ["connect", "create", "find"]
