"""What stands around an owner's page: the state of his mirror, and how many products wait for him."""

from dataclasses import dataclass

from aiohttp import web

from evosync.db.glance import Glance, glance
from evosync.domain.connection import Health
from evosync.domain.mirror import Outcome
from evosync.web.keys import CLIENT, FORMAT, SERVICES, WORDS
from evosync.web.viewer import viewer_of
from evosync.words.errors import card_of
from evosync.words.format import Format
from evosync.words.language import Words
from evosync.words.tone import Tone


@dataclass(frozen=True, slots=True)
class Pill:
    """A tone with its words; the icon follows from the tone."""

    tone: Tone
    text: str


@dataclass(frozen=True, slots=True)
class Frame:
    """`pill` is None where there is nobody to show it to. `problems` is 0 until the first start."""

    pill: Pill | None = None
    problems: int = 0
    has_started: bool = False


async def frame_of(request: web.Request) -> Frame:
    viewer, at = viewer_of(request), request[CLIENT].at
    seen = await request.app[SERVICES].database.read(lambda connection: glance(connection, viewer.id, at=at))
    return Frame(
        pill=state_pill(seen, request[WORDS], request[FORMAT]),
        problems=seen.problems,
        has_started=seen.started_at is not None,
    )


def state_pill(seen: Glance, words: Words, form: Format) -> Pill:
    """The first that holds, in the design's order."""
    is_broken = Health.BROKEN.value in {seen.evotor, seen.vk} or seen.last_outcome == Outcome.HELD.value
    if is_broken:
        return Pill(Tone.YOU, words.gettext("Needs you"))
    if seen.is_running:
        return _running(seen, words, form)
    if seen.started_at is None:
        return Pill(Tone.OFF, words.gettext("Not started"))
    if seen.paused_at is not None:
        return Pill(Tone.OFF, words.gettext("Paused"))
    return _trouble(seen, words) or _in_step(seen, words, form)


def _running(seen: Glance, words: Words, form: Format) -> Pill:
    if seen.total <= 0:
        return Pill(Tone.WE, words.gettext("Updating"))
    share = form.percent(min(seen.done * 100 // seen.total, 100))
    return Pill(Tone.WE, words.gettext("Updating, %(share)s", share=share))


def _in_step(seen: Glance, words: Words, form: Format) -> Pill:
    if seen.problems:
        return Pill(Tone.OK, words.gettext("In step, except %(num)s", num=form.number(seen.problems)))
    return Pill(Tone.OK, words.gettext("In step"))


def _trouble(seen: Glance, words: Words) -> Pill | None:
    is_stopped = seen.last_outcome == Outcome.FAILED.value or seen.is_held_back
    codes = [*([seen.last_code] if is_stopped else ()), *seen.unread]
    if any(_is_owners(code) for code in codes):
        return Pill(Tone.YOU, words.gettext("Needs you"))
    if not is_stopped and not seen.unread:
        return None
    if codes[0].startswith("Evotor"):
        return Pill(Tone.WE, words.gettext("Evotor is slow"))
    return Pill(Tone.WE, words.gettext("VK is slow"))


def _is_owners(code: str) -> bool:
    """Whose move it is."""
    card = card_of(code) if code else None
    return card is not None and card.tone is Tone.YOU
