"""Runs in words: why one began, how it ended, and its receipt line by line."""

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, Final

from evosync.db.history import ResultSeen
from evosync.domain.action import Note
from evosync.domain.ids import RunId
from evosync.domain.mirror import Outcome, Reason, Result, RunRecord
from evosync.domain.status import Standing
from evosync.sync.mailbox import HINT
from evosync.web.frame import Pill
from evosync.web.pictures import Bar
from evosync.words.checks import stored_card
from evosync.words.errors import card_of
from evosync.words.format import Format, Moment
from evosync.words.language import Words, marked
from evosync.words.statuses import FIELDS, STATUSES
from evosync.words.tone import Tone

_REASONS: Final = {
    Reason.ASKED: marked("you pressed “Update now”"),
    Reason.CHOICE: marked("you changed what is shown"),
    Reason.SETTINGS: marked("you changed the settings"),
    Reason.CONNECTED: marked("a new connection"),
    Reason.START: marked("the first start"),
    Reason.COMMAND: marked("started by the operator"),
    Reason.REPLAY: marked("started by the operator"),
    Reason.PREVIEW: marked("you looked at what will change"),
    Reason.RESUMED: marked("after a pause"),
    Reason.RETRY: marked("retry"),
    Reason.MENDED: marked("after an outage"),
    Reason.HOOK: marked("something changed at the till"),
    Reason.ROUTINE: marked("on schedule"),
}
"""The most telling first."""
_HINTED: Final = marked("a product changed at the till")

RESULTS: Final = (Result.FAILED, Result.UPDATED, Result.CREATED, Result.HIDDEN, Result.SHOWN, Result.ADOPTED)
RESULT_WORDS: Final = {
    Result.FAILED: marked("Did not work"),
    Result.UPDATED: marked("Changed"),
    Result.CREATED: marked("Added"),
    Result.HIDDEN: marked("Hidden"),
    Result.SHOWN: marked("Shown again"),
    Result.ADOPTED: marked("Linked"),
}


@dataclass(frozen=True, slots=True)
class RunSeen:
    """One run as a row of a list."""

    id: RunId
    at: Moment
    about: str
    pill: Pill


def changed_by(record: RunRecord) -> int:
    tally = record.tally
    return tally.created + tally.updated + tally.hidden + tally.shown


def is_quiet(record: RunRecord) -> bool:
    """A routine look that found nothing to do: it need not stand in a short list."""
    return record.outcome is Outcome.OK and not changed_by(record) and record.reasons == (Reason.ROUTINE,)


def reason_text(record: RunRecord, words: Words) -> str:
    """Why it began; the most telling of several reasons."""
    telling = [reason for reason in _REASONS if reason in record.reasons and reason is not Reason.ROUTINE]
    if telling:
        return words.gettext(_REASONS[telling[0]])
    if any(reason.startswith(HINT) for reason in record.reasons):
        return words.gettext(_HINTED)
    return words.gettext(_REASONS[Reason.ROUTINE])


def run_seen(record: RunRecord, words: Words, form: Format) -> RunSeen:
    parts = [reason_text(record, words)]
    changed = changed_by(record)
    if changed:
        parts.append(words.ngettext("%(num)s changed", "%(num)s changed", changed, num=form.number(changed)))
    elif record.tally.products and record.finished_at is not None:
        products = record.tally.products
        parts.append(words.ngettext("%(num)s compared", "%(num)s compared", products, num=form.number(products)))
    if record.finished_at is not None:
        parts.append(form.lasted(record.finished_at - record.started_at))
    return RunSeen(record.id, form.moment(record.started_at), " · ".join(parts), run_pill(record, words, form))


_PILLS: Final = {
    None: (Tone.WE, marked("Going on")),
    Outcome.CUT: (Tone.WE, marked("Interrupted, goes on")),
    Outcome.READ_ONLY: (Tone.OFF, marked("Only read")),
    Outcome.PARTIAL: (Tone.WE, marked("Still checking")),
}


def run_pill(record: RunRecord, words: Words, form: Format) -> Pill:
    failed = record.tally.failed
    if failed and record.outcome is not None:
        text = words.ngettext("Did not work for %(num)s", "Did not work for %(num)s", failed, num=form.number(failed))
        return Pill(Tone.YOU, text)
    if record.outcome in {Outcome.FAILED, Outcome.HELD} or (record.outcome is Outcome.PARTIAL and record.code):
        card = stored_card(record.code)
        return Pill(card.tone, card.title.said(words.language.value))
    if record.outcome in _PILLS:
        tone, said = _PILLS[record.outcome]
        return Pill(tone, words.gettext(said))
    return Pill(Tone.OK, words.gettext("All carried over") if changed_by(record) else words.gettext("No changes"))


def run_bar(record: RunRecord) -> Bar:
    """Changed at the till above, carried over below; what did not work is the gap."""
    changed = changed_by(record)
    lost = record.tally.failed or int(record.outcome in {Outcome.FAILED, Outcome.HELD})
    return Bar(changed + lost, changed)


def support_code(record: RunRecord) -> str:
    """Names a run to the operator. The letters catch a slip of the pen."""
    check = blake2b(f"{record.user}:{record.id}".encode(), digest_size=2).hexdigest().upper()
    return f"R-{record.id}-{check}"


def receipt_parts(record: RunRecord, prices: int, words: Words, form: Format) -> list[list[tuple[str, str, bool]]]:
    """When, what, and the total."""
    tally, say = record.tally, words.gettext
    ended = record.finished_at
    lines = (
        (say("Added"), tally.created),
        (say("Changed"), tally.updated),
        (say("Hidden"), tally.hidden),
        (say("Shown again"), tally.shown),
        (say("Linked"), tally.adopted),
        (say("Pictures"), tally.photos),
        (say("New collections"), tally.albums_made),
        (say("Skipped"), tally.skipped),
        (say("Did not work"), tally.failed),
    )
    return [
        [
            (say("Begun"), _seconds(record, form), False),
            *([(say("Took"), form.lasted(ended - record.started_at), False)] if ended is not None else []),
        ],
        [
            (say("At the till"), form.number(tally.products), False),
            (say("As it should be already"), form.number(tally.unchanged), False),
            *((name, form.number(value), False) for name, value in lines if value),
        ],
        [
            (say("Written"), form.number(changed_by(record)), True),
            (say("Prices changed"), form.number(prices), False),
            (say("Requests to VK"), form.number(tally.vk_requests), False),
            (say("to Evotor"), form.number(tally.evotor_requests), False),
        ],
    ]


def _seconds(record: RunRecord, form: Format) -> str:
    return record.started_at.astimezone(form.zone).strftime("%H:%M:%S")


@dataclass(frozen=True, slots=True)
class LineSeen:
    """One product of a receipt: what changed as rows of `ui.diff`, or why it did not."""

    name: str
    sub: str
    price: str
    why: Pill | None
    reason: str
    rows: list[tuple[str, str, str, str, str]]
    item: int | None


_WHY: Final = {
    "by_hand": marked("changed by hand in VK, set back to the till's"),
    "shown_again": marked("on sale again"),
    "not_sellable": marked("off sale at the till"),
    "no_price": marked("no price at the till"),
    "gone": marked("no longer at the till"),
    "switched_off": marked("its group or store is off"),
    "double": marked("a second listing of the same product"),
}


def why_text(why: str, words: Words) -> str:
    return words.gettext(_WHY[why]) if why in _WHY else ""


def line_seen(line: ResultSeen, words: Words, form: Format) -> LineSeen:
    name = line.named.name if line.named is not None else line.fields.get("name", ("", ""))[1]
    pill, reason = None, why_text(line.why, words)
    if line.result is Result.FAILED:
        card = card_of(line.code)
        title = card.title.said(words.language.value) if card is not None else words.gettext("Did not work")
        pill, reason = Pill(Tone.YOU, title), line.code
    rows = [] if line.result is Result.CREATED else field_rows(line.fields, words, form)
    kopecks = line.named.kopecks if line.named is not None else None
    return LineSeen(
        name=name or words.gettext("A product that is gone"),
        sub=line.named.group if line.named is not None else "",
        price=form.price(kopecks) if kopecks is not None and not rows else "",
        why=pill,
        reason=reason,
        rows=rows,
        item=line.named.item if line.named is not None else None,
    )


_LONG: Final = 160


def field_rows(
    fields: Mapping[str, tuple[str, str]], words: Words, form: Format
) -> list[tuple[str, str, str, str, str]]:
    """Rows of `ui.diff`: label, old, new, kind, note. Prices are kopecks as text; the price comes first."""
    rows = []
    for name in sorted(fields, key=lambda name: (name != "price", name != "stock", name)):
        old, new = fields[name]
        label = FIELDS[name].said(words.language.value).capitalize() if name in FIELDS else name
        if name == "price" and _is_number(new):
            if _is_number(old):
                before, after = form.prices(int(old), int(new))
                rows.append((label, before, after, "price", form.change(int(old), int(new))))
            else:
                rows.append((label, "", form.price(int(new)), "price", ""))
        elif name == "stock" and _is_number(new):
            rows.append((label, form.number(int(old)) if _is_number(old) else "", form.number(int(new)), "", ""))
        else:
            rows.append((label, _short(old), _short(new), "", ""))
    return rows


def _is_number(text: str) -> bool:
    return text.lstrip("-").isdecimal()


def _short(text: str) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= _LONG else f"{flat[:_LONG].rstrip()}…"


def skipped_seen(record: RunRecord, words: Words) -> list[tuple[Pill, int]]:
    """Why products were passed over, by how many."""
    found = []
    for key, count in sorted(record.tally.reasons.items(), key=lambda pair: -pair[1]):
        if key in Standing.__members__.values():
            status = STATUSES[Standing(key)]
            found.append((Pill(status.tone, status.pill.said(words.language.value)), count))
    return found


def notes_seen(notes: Any, words: Words, form: Format) -> list[str]:
    """What a run or a preview found for the owner as a whole, in sentences."""
    found = []
    for note in Note:
        values = notes.get(note.value) or notes.get(note)
        if values and note is not Note.GUARD:  # its card says it
            found.append(_note(note, tuple(values), words, form))
    return found


def _note(note: Note, values: tuple[str, ...], words: Words, form: Format) -> str:
    count, names = len(values), _names(values)
    if note is Note.SHOP_FULL and _is_number(values[0]):
        count = int(values[0])
    num = form.number(count)
    texts = {
        Note.SHOP_FULL: lambda: words.ngettext(
            "There is no room in the shop for %(num)s product: VK's limit is reached.",
            "There is no room in the shop for %(num)s products: VK's limit is reached.",
            count,
            num=num,
        ),
        Note.ALBUMS_FULL: lambda: words.ngettext(
            "VK takes no more collections: %(num)s group stays without one.",
            "VK takes no more collections: %(num)s groups stay without one.",
            count,
            num=num,
        ),
        Note.ALBUM_FULL: lambda: words.ngettext(
            "%(num)s collection is full: what has no room there stands in the shop without it.",
            "%(num)s collections are full: what has no room there stands in the shop without it.",
            count,
            num=num,
        ),
        Note.NEW_GROUPS: lambda: words.gettext(
            "New groups at the till that nobody has decided about: %(names)s.", names=names
        ),
        Note.PRICES_DIFFER: lambda: words.ngettext(
            "%(num)s product has different prices in your stores: the first store's price counts.",
            "%(num)s products have different prices in your stores: the first store's price counts.",
            count,
            num=num,
        ),
        Note.DOUBLES: lambda: words.gettext("Second listings of the same product are hidden: %(names)s.", names=names),
        Note.HAND_EDITS: lambda: words.ngettext(
            "%(num)s listing was changed by hand in VK: it is set back to what the till says.",
            "%(num)s listings were changed by hand in VK: they are set back to what the till says.",
            count,
            num=num,
        ),
    }
    return texts[note]()


def _names(values: tuple[str, ...]) -> str:
    return ", ".join(values[:5]) + ("…" if len(values) > 5 else "")
