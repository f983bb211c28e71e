"""What an owner reads on his pages, made as the pages make it."""

from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncConnection

from evosync.db import history
from evosync.domain.mirror import RunRecord
from evosync.web.signs import Sign, View, sign_of
from evosync.web.standing import state_of
from evosync.words.errors import UNKNOWN
from evosync.words.format import Format, zone_of
from evosync.words.language import Language, load_catalogs
from tests.sync.world import Owner

CATALOGS = load_catalogs()


@dataclass(frozen=True, slots=True)
class Seen:
    """`state` and the last run's `outcome` and `code` are those of `GET /sync/status`; `sign` is the home page's."""

    state: str
    outcome: str
    code: str
    sign: Sign

    @property
    def title(self) -> str:
        return self.sign.title

    @property
    def whose_move(self) -> str:
        """`we`, `you`, `ok` or `off`."""
        return self.sign.tone.value


async def sees(owner: Owner, language: Language = Language.EN) -> Seen:
    """Also a check that the words were thought of: no owner is told that we have not seen this before."""
    at = owner.world.clock()

    async def look(connection: AsyncConnection) -> tuple[View, RunRecord | None]:
        now = await history.now(connection, owner.user)
        last = await history.last_run(connection, owner.user)
        fresh = await history.fresh(connection, owner.user)
        pauses = tuple(now.pauses.values())
        unpaid = await history.unpaid_store(connection, owner.user, now)
        view = View(now=now, state=state_of(now, at), fresh=fresh, at=at, last=last, pauses=pauses, unpaid=unpaid)
        return view, last

    view, last = await owner.world.database.read(look)
    words = CATALOGS[language]
    sign = sign_of(view, words, Format(words, zone_of(None), at))
    assert sign.card is not UNKNOWN, f"nobody thought of {sign.code!r}"
    outcome = last.outcome.value if last is not None and last.outcome is not None else ""
    return Seen(view.state.value, outcome, last.code if last is not None else "", sign)
