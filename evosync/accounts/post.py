"""Sends what waits in the outbox; safe in several processes at once."""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from evosync.accounts.letters import BROKEN, SMS
from evosync.accounts.links import BadLink, Links
from evosync.db import connections, outbox, single_use
from evosync.db.engine import Database
from evosync.db.outbox import LetterRow, LetterState
from evosync.db.single_use import Link
from evosync.notify.letters import Renderer
from evosync.notify.mail import Mail, NotSent
from evosync.notify.sms import Sms
from evosync.words.letters import Kind

_log = logging.getLogger(__name__)

BATCH: Final = 50
TRIES: Final = 10
_CLAIM: Final = timedelta(minutes=5)
"""A letter whose sender died in the middle is tried again after this."""
_CARRIED_WITHIN: Final = 240.0
"""Seconds. Less than the claim, after which somebody else may take the letter, with a minute for what is about it."""
_BATCH_WITHIN: Final = 240.0
"""Where letters go out slowly, no more are begun after so many seconds: the next look takes up the rest."""
_ENDED_WITHIN: Final = 10.0
"""Seconds that the letter in hand still has where the service stops."""


@dataclass(frozen=True, slots=True)
class PostOffice:
    """All that sending takes."""

    database: Database
    links: Links
    renderer: Renderer
    mail: Mail
    sms: Sms
    clock: Callable[[], datetime]

    async def send_due(self) -> int:
        """Sends what is due; how many letters went out. It may be called as often as one likes."""
        at = self.clock()
        due = await self.database.read(lambda connection: outbox.due_letters(connection, at=at, limit=BATCH))
        sent = 0
        loop = asyncio.get_running_loop()
        enough = loop.time() + _BATCH_WITHIN
        for letter in due:
            # From now: where the letters before took minutes, a claim from the beginning on would be over already.
            until = self.clock() + _CLAIM
            claimed = await self.database.write(
                lambda connection, letter=letter, until=until: outbox.claim_letter(connection, letter, until=until)  # type: ignore[misc]  # loop variables bound at once
            )
            if claimed:
                sent += await _to_its_end(self._send(letter))
            if loop.time() >= enough:
                break
        return sent

    async def _send(self, letter: LetterRow) -> bool:
        link = await self._link(letter)
        if letter.link_id is not None and link is None:
            await self._finish(letter, LetterState.FAILED, "the link is used or too old")
            return False
        if await self._is_mended(letter):
            await self._finish(letter, LetterState.FAILED, "the connection works again")
            return False
        try:
            async with asyncio.timeout(_CARRIED_WITHIN):
                await self._carry(letter, link)
        except BadLink:
            await self._finish(letter, LetterState.FAILED, "the link's key is no longer known")
            return False
        except NotSent as error:
            await self._put_off(letter, error)
            return False
        except TimeoutError:
            # It may have been taken all the same and go out twice: better than a letter that never comes.
            await self._put_off(letter, NotSent("took too long"))
            return False
        await self._finish(letter, LetterState.SENT, "")
        return True

    async def _link(self, letter: LetterRow) -> Link | None:
        number = letter.link_id
        if number is None:
            return None
        found = await self.database.read(lambda connection: single_use.get(connection, number))
        is_good = found is not None and found.used_at is None and found.expires_at > self.clock()
        return found if is_good else None

    async def _is_mended(self, letter: LetterRow) -> bool:
        """The letter tells of a connection that is not broken any more, or of an earlier one than that which is."""
        sides = [side for side, kind in BROKEN.items() if kind == letter.kind]
        if not sides:
            return False
        since = await self.database.read(lambda connection: connections.broken_since(connection, letter.user, sides[0]))
        return since is None or since > letter.created_at

    async def _carry(self, letter: LetterRow, link: Link | None) -> None:
        values = dict(letter.values)
        address = None
        if link is not None:
            address = self.links.address(link)
            values["expires_at"] = link.expires_at.isoformat()
        now = self.clock()
        if letter.channel == SMS:
            text = self.renderer.sms(
                language=letter.language, zone=letter.zone, values=values, link=address or "", now=now
            )
            await self.sms.send(letter.address, text)
            return
        ready = self.renderer.letter(
            letter.id,
            Kind(letter.kind),
            to=letter.address,
            language=letter.language,
            zone=letter.zone,
            values=values,
            link=address,
            now=now,
        )
        await self.mail.send(ready)

    async def _put_off(self, letter: LetterRow, error: NotSent) -> None:
        _log.warning("letter not sent", extra={"letter": letter.id, "kind": letter.kind, "reason": str(error)})
        if error.for_good or letter.tries + 1 >= TRIES:
            await self._finish(letter, LetterState.FAILED, str(error))
            return
        next_at = self.clock() + back_off(letter.tries)
        await self.database.write(
            lambda connection: outbox.delay_letter(connection, letter.id, error=str(error), next_at=next_at)
        )

    async def _finish(self, letter: LetterRow, state: LetterState, error: str) -> None:
        at = self.clock()
        await self.database.write(
            lambda connection: outbox.finish_letter(connection, letter.id, state=state, error=error, at=at)
        )


async def _to_its_end(sending: Coroutine[object, object, bool]) -> bool:
    """A letter that its carrier has taken is noted, though the service stops: somebody else would send it again."""
    task = asyncio.create_task(sending, name="letter")
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait({task}, timeout=_ENDED_WITHIN)
        raise
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def back_off(tries: int) -> timedelta:
    """30 s, then twice as long each time, at most 4 hours."""
    return min(timedelta(seconds=30 * 2 ** min(tries, 20)), timedelta(hours=4))
