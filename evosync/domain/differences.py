"""What differs between the wanted state of a product and its item in VK.

Measured against VK's own read-back of what was last written: what VK makes of a text (trimmed spaces,
entities) is therefore no difference, and what the owner changed by hand is.
"""

from dataclasses import dataclass

from evosync.domain.catalog import Availability, Item
from evosync.domain.links import Link, ReadBack, Written
from evosync.domain.texts import fold_vk, price_phrase
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
    name = description = None
    if not link.keeps_text:
        if wanted.name is not None:
            name, hand = _text(wanted.name, written.name, read.title, item.title)
            if hand:
                by_hand.append("name")
        if wanted.has_own_text or wanted.per_grams != written.per_grams:
            description, hand = _text(wanted.description, written.description, read.description, item.description)
            if hand:
                by_hand.append("description")
    elif wanted.per_grams and price_phrase(wanted.per_grams) not in item.description:
        # An adopted item keeps the owner's text, but a price for 10 g without a word about it would mislead.
        description = f"{price_phrase(wanted.per_grams)}\n{item.description}"
    return Differences(name=name, description=description, kopecks=kopecks, stock=stock, by_hand=tuple(by_hand))


def is_hidden(link: Link, item: Item) -> bool:
    """The `deleted` flag that VK has now.

    VK shows an item as unavailable for a stock of 0 as well (VK FACTS 2), so as long as the
    availability is what it was after our own write, the flag is what we wrote.
    """
    read = link.read_back
    if read is not None and read.availability is not None and item.availability == read.availability:
        return bool(link.written and link.written.hidden)
    if item.availability is Availability.UNAVAILABLE:
        return not (link.written is not None and link.written.stock == 0 and not link.written.hidden)
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
