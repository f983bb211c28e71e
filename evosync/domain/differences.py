"""What differs between the wanted state of a product and its item in VK.

Measured against VK's own read-back of what was last written: what VK makes of a text (trimmed spaces,
entities) is therefore no difference, and what the owner changed by hand is.
"""

from dataclasses import dataclass, replace

from evosync.domain.action import AddItem, EditItem
from evosync.domain.catalog import Availability, Item
from evosync.domain.links import Link, ReadBack, Written
from evosync.domain.texts import fold_vk, named_grams, rephrased
from evosync.domain.wanted import Wanted


@dataclass(frozen=True, slots=True)
class Differences:
    """Fields to send, None where there is nothing to send; `by_hand` names those the owner changed."""

    name: str | None = None
    description: str | None = None
    kopecks: int | None = None
    stock: int | None = None
    by_hand: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return (self.name, self.description, self.kopecks, self.stock) != (None, None, None, None)


def _number(wanted: int, written: int | None, read: int | None, seen: int | None) -> tuple[int | None, bool]:
    """The number to send, and whether it was changed by hand. VK not naming it is no difference."""
    if seen is None:
        return (wanted if wanted != written else None), False
    if seen == wanted:
        return None, False
    if wanted != written:
        return wanted, False
    if read is not None and seen == read:
        return None, False
    return wanted, read is not None


def _text(wanted: str, written: str | None, read: str | None, seen: str) -> tuple[str | None, bool]:
    """The text to send, and whether it was changed by hand.

    A text that was written but never read back is taken as VK shows it now: nobody knows what VK
    makes of it.
    """
    if seen == wanted:
        return None, False
    if wanted != written:
        return (None if written is None and fold_vk(seen) == fold_vk(wanted) else wanted), False
    if read is None or seen == read:
        return None, False
    return wanted, True


def _phrase(grams: int, written: Written, read: ReadBack, seen: str) -> tuple[str | None, bool]:
    """The text that VK shows, with the right words on the amount that the price is for.

    For texts that are not the till's: they stay, but a price for 10 g without a word about it would
    mislead. An amount that the owner wrote himself is left alone where none is due.
    """
    if grams == named_grams(seen) or (grams == 0 and written.per_grams == 0):
        return None, False
    if grams == written.per_grams and seen == read.description:
        return None, False
    return rephrased(seen, grams), grams == written.per_grams and read.description is not None


def differences(wanted: Wanted, link: Link, item: Item) -> Differences:
    """Compare field by field; `link` must be whole."""
    written = link.written or Written()
    read = link.read_back or ReadBack()
    by_hand: list[str] = []

    kopecks, hand = _number(wanted.kopecks, written.kopecks, read.kopecks, item.kopecks)
    if hand:
        by_hand.append("price")
    stock, hand = _number(wanted.stock, written.stock, read.stock, item.stock)
    if hand:
        by_hand.append("stock")
    name = None
    if wanted.name is not None and not link.keeps_text:
        name, hand = _text(wanted.name, written.name, read.title, item.title)
        if hand:
            by_hand.append("name")
    if wanted.has_own_text and not link.keeps_text:
        description, hand = _text(wanted.description, written.description, read.description, item.description)
    else:
        description, hand = _phrase(wanted.per_grams, written, read, item.description)
    if hand:
        by_hand.append("description")
    return Differences(name=name, description=description, kopecks=kopecks, stock=stock, by_hand=tuple(by_hand))


def forget_touched(link: Link, item: Item, *, text: bool, rest: bool, name: bool) -> Link:
    """The link without what was last written into fields that the owner has changed since.

    For fields that this plan does not compare: their change by hand would else be taken for VK's form of
    ours with the next read-back, and stay when they are mirrored again.
    """
    written, read = link.written, link.read_back
    if written is None or read is None:
        return link
    return replace(
        link,
        written=replace(
            written,
            name=None if name and read.title not in {None, item.title} else written.name,
            description=None if text and read.description not in {None, item.description} else written.description,
            kopecks=None if rest and read.kopecks not in {None, item.kopecks} else written.kopecks,
            stock=None if rest and read.stock not in {None, item.stock} else written.stock,
        ),
    )


def forget_refused(link: Link, refused: Differences) -> Link:
    """The link without what it knows of fields that VK refused: they are not as written, whatever VK shows.

    A description that is not the till's is measured against what was read back alone.
    """
    written, read = link.written, link.read_back
    if not refused or written is None:
        return link
    if read is not None and refused.description is not None:
        read = replace(read, description=None)
    return replace(
        link,
        written=replace(
            written,
            name=None if refused.name is not None else written.name,
            description=None if refused.description is not None else written.description,
            kopecks=None if refused.kopecks is not None else written.kopecks,
            stock=None if refused.stock is not None else written.stock,
        ),
        read_back=read,
    )


def is_hidden(link: Link, item: Item) -> bool:
    """The `deleted` flag that VK has now.

    VK shows an item as unavailable for a stock of 0 as well (VK FACTS 2), so as long as the
    availability is what it was after our own write, the flag is what we wrote. Where it has become
    unavailable since, an item that is sold out (by orders, or by hand) is not hidden.
    """
    read = link.read_back
    written = link.written or Written()
    if read is not None and read.availability is not None and item.availability == read.availability:
        return written.hidden
    if item.availability is Availability.UNAVAILABLE:
        stock = item.stock if item.stock is not None else written.stock
        return written.hidden or stock != 0
    return False


def as_read(item: Item) -> ReadBack:
    """The item's present fields, to be remembered as VK's read-back."""
    return ReadBack(
        title=item.title,
        description=item.description,
        kopecks=item.kopecks,
        stock=item.stock,
        availability=int(item.availability),
    )


NUMBERS = ("kopecks", "stock")


def unlike(sent: AddItem | EditItem, seen: Item) -> tuple[str, ...]:
    """Numbers that VK gave back other than they were sent. Somebody may have changed them right after the write."""
    return tuple(
        name
        for name in NUMBERS
        if None not in {getattr(sent, name), getattr(seen, name)} and getattr(sent, name) != getattr(seen, name)
    )


def doubted(edit: EditItem, seen: Item) -> tuple[str, ...]:
    """Those of them that may not be VK's form of ours: they are read again, and sent once more.

    VK's form is what VK gave back of this very number before, or what stood there when it was sent once more and stands
    there still. So a VK that has a form of its own for a number is written to twice, and no more.
    """
    written, read = edit.link.written or Written(), edit.link.read_back or ReadBack()

    def is_vks_form(name: str) -> bool:
        known = getattr(read, name) if getattr(read, name) is not None else getattr(edit.before, name)
        return bool(getattr(written, name) == getattr(edit, name) and known == getattr(seen, name))

    return tuple(name for name in unlike(edit, seen) if not is_vks_form(name))


def is_first_doubt(edit: EditItem, name: str) -> bool:
    """Not that of a number which was sent once before, and not read back as it was sent then either."""
    written, read = edit.link.written or Written(), edit.link.read_back or ReadBack()
    return getattr(written, name) != getattr(edit, name) or getattr(read, name) is not None
