"""The door sign of the home page: whose move it is, what is true of the shop now, and one thing to press."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum
from typing import Final

from evosync.db.glance import UNPAID, is_unread, last_read, why_unread
from evosync.db.history import Fresh, Now, Unread
from evosync.domain.connection import Health
from evosync.domain.mirror import Outcome, Pause, RunRecord, Step
from evosync.web.findings import values_of
from evosync.web.standing import SyncState
from evosync.words.checks import stored_card
from evosync.words.errors import Action, Card, card_of
from evosync.words.format import Format
from evosync.words.language import Words
from evosync.words.tone import Tone


class Press(Enum):
    """The one button of a sign."""

    NOTHING = "nothing"
    RUN = "run"
    PAUSE = "pause"
    RESUME = "resume"
    PREVIEW = "preview"
    CONNECT = "connect"
    CHOOSE = "choose"
    CARD = "card"


@dataclass(frozen=True, slots=True)
class Sign:
    """`card` is the cause where something is broken; its button is pressed then. `code` is for support."""

    tone: Tone
    who: str
    title: str
    text: str
    press: Press = Press.NOTHING
    card: Card | None = None
    code: str = ""


@dataclass(frozen=True, slots=True)
class View:
    """What a sign is made from. `ahead`: mirrors before this one in the queue; `per_day`: new listings a day."""

    now: Now
    state: SyncState
    fresh: Fresh
    at: datetime
    last: RunRecord | None = None
    ahead: int = 0
    has_choice: bool = True
    pauses: tuple[Pause, ...] = field(default=())
    creates_take: timedelta | None = None
    """How long the new listings that wait will take, where VK or the operator limits them."""
    unpaid: str = ""
    """The name of a store for which Evotor is not paid, where that is so of all that are switched on."""


def sign_of(view: View, words: Words, form: Format) -> Sign:
    """The first that holds."""
    if view.state is SyncState.BROKEN:
        return _broken(view, words, form)
    if view.now.started_at is None:
        return _not_started(view, words)
    if view.state is SyncState.RUNNING:
        return _running(view, words, form)
    if view.state is SyncState.PAUSED:
        return _paused(view, words, form)
    if view.now.till is None or view.now.shop is None:
        return _apart(view, words)
    return _trouble(view, words, form) or _queued(view, words, form) or _idle(view, words, form)


def _who(tone: Tone, words: Words) -> str:
    match tone:
        case Tone.OK:
            return words.gettext("All is well")
        case Tone.WE:
            return words.gettext("EvoSync is at work")
        case Tone.YOU:
            return words.gettext("Your turn")
        case Tone.OFF:
            return words.gettext("Paused")


def _as_of(view: View, words: Words, form: Format, read_at: datetime | None = None) -> str:
    read = read_at or view.now.shop_read_at or (view.last.started_at if view.last is not None else None)
    if read is None:
        return ""
    return words.gettext(
        "The shop stays as it was: %(time)s. Prices there may be out of date.", time=form.moment(read).text
    )


def _broken(view: View, words: Words, form: Format) -> Sign:
    now = view.now
    key = now.shop if now.shop is not None and now.shop.health is not Health.OK else now.till
    code = key.reason if key is not None else ""
    card = stored_card(code)
    language = words.language.value
    cause = card.cause.said(language, **values_of(now.finding, form))
    text = " ".join(part for part in (cause, _as_of(view, words, form)) if part)
    return Sign(card.tone, _who(card.tone, words), card.title.said(language), text, Press.CARD, card, code)


def _apart(view: View, words: Words) -> Sign:
    title = (
        words.gettext("The till is not connected") if view.now.till is None else words.gettext("VK is not connected")
    )
    text = words.gettext("Listings stay as they are. Connect it again, and the shop follows the till.")
    return Sign(Tone.YOU, _who(Tone.YOU, words), title, text, Press.CONNECT)


def _not_started(view: View, words: Words) -> Sign:
    who = words.gettext("Waits for the start")
    if view.now.till is None or view.now.shop is None:
        text = words.gettext("Connect the till and VK: five short steps. Nothing is written before the last one.")
        return Sign(Tone.OFF, who, words.gettext("Let us begin"), text, Press.CONNECT)
    if not view.has_choice:
        text = words.gettext("Choose the groups of products that the shop shall show. Nothing is written yet.")
        return Sign(Tone.OFF, who, words.gettext("What shall be shown"), text, Press.CHOOSE)
    text = words.gettext("See what will change, then start. Nothing is written before that.")
    return Sign(Tone.OFF, who, words.gettext("Ready to start"), text, Press.PREVIEW)


def _running(view: View, words: Words, form: Format) -> Sign:
    going = view.now.going
    if going is not None and going.step is Step.MIRROR and going.total:
        text = words.ngettext(
            "%(num)s change for the shop. We are bringing it to “%(name)s”.",
            "%(num)s changes for the shop. We are bringing them to “%(name)s”.",
            going.total,
            num=form.number(going.total),
            name=view.now.community_name or words.gettext("your community"),
        )
    else:
        text = words.gettext("Comparing the till with the shop. What differs is written next.")
    return Sign(Tone.WE, _who(Tone.WE, words), words.gettext("Updating the shop"), text, Press.PAUSE)


def _paused(view: View, words: Words, form: Format) -> Sign:
    since = form.moment(view.now.paused_at).text if view.now.paused_at is not None else ""
    text = words.gettext("Paused: %(since)s. The till may have changed since; the shop has not.", since=since)
    return Sign(Tone.OFF, _who(Tone.OFF, words), words.gettext("You paused it"), text, Press.RESUME)


def _trouble(view: View, words: Words, form: Format) -> Sign | None:
    """The whole shop's before that of one store, but first what its owner alone can mend."""
    if view.unpaid:
        return _unpaid(view, words, form)
    found = [sign for sign in (_stopped(view, words, form), _unread(view, words, form)) if sign is not None]
    return min(found, key=lambda sign: sign.tone is not Tone.YOU, default=None)


def _stopped(view: View, words: Words, form: Format) -> Sign | None:
    """The last run got nowhere."""
    last = view.last
    if last is None or last.outcome not in {Outcome.FAILED, Outcome.HELD}:
        return None
    card = card_of(last.code)
    if card is None:
        return None
    language = words.language.value
    text = f"{card.cause.said(language)} {_again(view.now.next_at, view, words, form)}"
    press = Press.CARD if card.tone is Tone.YOU else Press.NOTHING
    return Sign(card.tone, _who(card.tone, words), card.title.said(language), text, press, card, last.code)


def _again(next_at: datetime | None, view: View, words: Words, form: Format) -> str:
    if next_at is None or next_at <= view.at:
        return words.gettext("We try again soon.")
    return words.gettext("The next try is at %(time)s.", time=form.clock(next_at))


def _unread(view: View, words: Words, form: Format) -> Sign | None:
    """One store of several, as a rule: the runs end well without it."""
    unread = [store for store in view.now.unread if is_unread(store.reading, view.at)]
    return min(
        (_unread_store(store, view, words, form) for store in unread),
        key=lambda sign: sign.tone is not Tone.YOU,
        default=None,
    )


def _unread_store(store: Unread, view: View, words: Words, form: Format) -> Sign:
    code = why_unread(store.reading)
    card, language = stored_card(code), words.language.value
    read_at = last_read(store.reading)
    parts = [card.cause.said(language, name=store.name)]
    if read_at is not None:
        parts.append(
            words.gettext(
                "Last read: %(time)s. Its listings stay as they were, prices may be out of date.",
                time=form.moment(read_at).text,
            )
        )
    if card.tone is Tone.YOU:
        title, press = card.title.said(language, name=store.name), Press.CARD
        parts.append(card.you.said(language))
    else:
        title, press = words.gettext("Store “%(name)s” cannot be read", name=store.name), Press.RUN
        parts.append(_again(store.reading.retry_at, view, words, form))
    return Sign(card.tone, _who(card.tone, words), title, " ".join(parts), press, card, code)


def _unpaid(view: View, words: Words, form: Format) -> Sign:
    """The runs end well, and read nothing: prices in VK fall behind all the same."""
    card, language = stored_card(UNPAID), words.language.value
    read_at = max((at for store in view.now.unread if (at := last_read(store.reading)) is not None), default=None)
    text = " ".join(part for part in (card.cause.said(language), _as_of(view, words, form, read_at)) if part)
    title = card.title.said(language, name=view.unpaid)
    return Sign(card.tone, _who(card.tone, words), title, text, Press.CARD, card, UNPAID)


def _queued(view: View, words: Words, form: Format) -> Sign | None:
    if view.state is not SyncState.QUEUED:
        return None
    wanted = view.now.wanted_at
    if view.ahead:
        text = words.ngettext(
            "%(num)s shop is ahead of yours.",
            "%(num)s shops are ahead of yours.",
            view.ahead,
            num=form.number(view.ahead),
        )
    elif wanted is not None and wanted > view.at:
        text = words.gettext("We wait a few seconds, in case you change something else.")
    else:
        text = words.gettext("It starts in a few seconds.")
    return Sign(Tone.WE, _who(Tone.WE, words), words.gettext("The update is in the queue"), text, Press.PAUSE)


def _idle(view: View, words: Words, form: Format) -> Sign:
    fresh = view.fresh
    if not fresh.shown:
        text = words.gettext("No group is switched on, so there is nothing to follow.")
        return Sign(Tone.OFF, words.gettext("By your choice"), words.gettext("Nothing is shown"), text, Press.CHOOSE)
    if fresh.waiting:
        return _behind(view, words, form)
    checked = ""
    if view.last is not None and view.last.finished_at is not None:
        checked = words.gettext("Checked %(ago)s.", ago=form.ago(view.last.finished_at).text)
    if fresh.needs_owner:
        title = words.gettext("In step with the till, except %(num)s", num=form.number(fresh.needs_owner))
        text = words.ngettext(
            "The rest is in place. %(num)s product needs you: see Problems.",
            "The rest is in place. %(num)s products need you: see Problems.",
            fresh.needs_owner,
            num=form.number(fresh.needs_owner),
        )
        return Sign(Tone.OK, _who(Tone.OK, words), title, f"{text} {checked}".strip(), Press.RUN)
    text = words.ngettext(
        "The one product in VK is as at the till.",
        "All %(num)s products in VK are as at the till.",
        fresh.same,
        num=form.number(fresh.same),
    )
    title = words.gettext("In step with the till")
    return Sign(Tone.OK, _who(Tone.OK, words), title, f"{text} {checked}".strip(), Press.RUN)


def _behind(view: View, words: Words, form: Format) -> Sign:
    """Nothing runs, and some products still differ: their turn comes with the next run, or when VK lets them in."""
    fresh = view.fresh
    title = words.ngettext(
        "%(num)s product is on its way",
        "%(num)s products are on their way",
        fresh.waiting,
        num=form.number(fresh.waiting),
    )
    resting = max((pause.until for pause in view.pauses if pause.until > view.at), default=None)
    parts = []
    if resting is not None:
        parts.append(words.gettext("VK asks to wait until %(time)s; then we go on.", time=form.moment(resting).text))
    elif view.now.next_at is not None:
        parts.append(
            words.gettext("They follow with the next update, %(time)s.", time=form.moment(view.now.next_at).text)
        )
    if view.creates_take is not None:
        parts.append(words.gettext("New listings are let in bit by bit: %(left)s.", left=form.left(view.creates_take)))
    return Sign(Tone.WE, _who(Tone.WE, words), title, " ".join(parts), Press.RUN)


_PLACES: Final[Mapping[Action, str]] = {
    Action.RECONNECT: "/connections",
    Action.CHECK_AGAIN: "/connections",
    Action.CHOOSE_GROUPS: "/catalog/stores",
    Action.OPEN_STORES: "/catalog/stores",
    Action.SETTINGS: "/sync/settings",
    Action.CONFIRM_IN_VK: "https://vk.com/",
}


def card_address(card: Card, *, support: str, community: int | None) -> str:
    """Where the button of a card leads to with a GET; empty where it posts, or where there is no such place."""
    if card.action is Action.OPEN_IN_VK:
        return f"https://vk.com/market-{community}" if community else ""
    if card.action is Action.SUPPORT:
        return f"mailto:{support}" if "@" in support else support
    return _PLACES.get(card.action, "") if card.action is not None else ""
