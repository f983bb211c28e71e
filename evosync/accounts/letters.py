"""Letters into the outbox, in the transaction of the change that causes them."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy.ext.asyncio import AsyncConnection

from evosync.db import outbox, people
from evosync.db.accounts import UserStatus
from evosync.db.people import Person
from evosync.domain.errors import Side
from evosync.domain.ids import UserId
from evosync.words.letters import LETTERS, Kind

MAIL: Final = "mail"
SMS: Final = "sms"

BROKEN: Final[Mapping[Side, Kind]] = {Side.VK: Kind.VK_BROKEN, Side.EVOTOR: Kind.EVOTOR_BROKEN}


async def write_letter(
    connection: AsyncConnection,
    person: Person,
    kind: Kind,
    *,
    at: datetime,
    link: int | None = None,
    to: str | None = None,
    rest: timedelta = timedelta(),
    **values: Any,
) -> bool:
    """It is sent after `rest`. False where nothing was written: no address, or a notice that he switched off.

    `values` hold nothing secret: a link goes by its number. Somebody with a phone and no mail gets an SMS, and
    only for a link that sets his password. The queue is nudged by the caller, after the commit.
    """
    notice = LETTERS[kind].notice
    if notice and not person.wants(notice):
        return False
    channel, address = _way(person, kind, to)
    if not address:
        return False
    await outbox.add_letter(
        connection,
        user=person.id,
        channel=channel,
        kind=kind.value,
        address=address,
        language=person.language,
        values={"name": person.name, **{name: _plain(value) for name, value in values.items()}},
        link_id=link,
        at=at,
        not_before=at + rest,
    )
    return True


def _way(person: Person, kind: Kind, to: str | None) -> tuple[str, str]:
    if to or person.email:
        return MAIL, to or person.email or ""
    if person.phone and kind in {Kind.INVITE, Kind.RESET}:
        return SMS, person.phone
    return MAIL, ""


def _plain(value: object) -> object:
    return value.isoformat() if isinstance(value, datetime) else value


async def tell(
    connection: AsyncConnection,
    user: UserId,
    kind: Kind,
    *,
    at: datetime,
    rest: timedelta = timedelta(),
    **values: Any,
) -> bool:
    """A notice to an active owner about his mirror: one of the kinds that have a `notice` in `words.letters`.

    The values are those of the letter's sentences; `code` brings its card's cause, title and advice along.
    """
    person = await people.person(connection, user)
    if person is None or person.status is not UserStatus.ACTIVE:
        return False
    return await write_letter(connection, person, kind, at=at, rest=rest, **values)
