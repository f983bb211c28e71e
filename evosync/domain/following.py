"""What an item that exists needs to follow its product."""

from dataclasses import replace

from evosync.domain.action import (
    EditItem,
    KeepLink,
    Unplace,
    Why,
)
from evosync.domain.catalog import Item
from evosync.domain.differences import (
    Differences,
    as_read,
    differences,
    forget_refused,
    forget_touched,
    is_hidden,
)
from evosync.domain.draft import Draft, refusal_status
from evosync.domain.ids import ProductId
from evosync.domain.links import Link, Written
from evosync.domain.shelf import GroupKey
from evosync.domain.status import AT_REST, PLAIN, Standing, Status
from evosync.domain.survey import Survey
from evosync.domain.wanted import Effect, Unwanted, Wanted


def follow(
    product: ProductId, wanted: Wanted, link: Link, item: Item, source: bytes, look: Survey, draft: Draft
) -> None:
    found = differences(wanted, link, item)
    link = forget_touched(link, item, name=wanted.name is None, text=not wanted.has_own_text, rest=False)
    status = wanted.standing
    refused = Differences()
    if link.refused == source and link.refusal:
        status = refusal_status(link.refusal)
        refused, found = _split(found, link.refusal)
    if item.rejection:
        status = Status(Standing.REJECTED, {"text": item.rejection})
    now_hidden = is_hidden(link, item)
    hidden = now_hidden and not link.hidden_by_us
    placed, link = _place(product, wanted.group, link, item, look, draft)
    if not placed and status.standing in PLAIN:
        status = Status(Standing.IN_STEP_NO_ALBUM)
    if not found and hidden == now_hidden:
        draft.unchanged += status.standing in AT_REST
        draft.statuses[product] = status
        _remember(link, wanted, source, item, draft, refused, hidden=now_hidden)
        return
    if hidden != now_hidden:
        why = Why.SHOWN_AGAIN
    elif found.by_hand:
        why = Why.BY_HAND
    else:
        why = Why.CHANGED
    draft.edits.append(
        EditItem(
            product=product,
            item=item.id,
            why=why,
            hidden=hidden,
            source=source,
            link=forget_refused(link, refused),
            before=item,
            name=found.name,
            description=found.description,
            kopecks=found.kopecks,
            # An item is shown together with its stock, whether that differs or not (VK FACTS 2).
            stock=wanted.stock if why is Why.SHOWN_AGAIN else found.stock,
            per_grams=_grams_named(link, wanted, refused),
            by_hand=found.by_hand,
        )
    )
    draft.statuses[product] = Status(Standing.WAIT_CHANGE)
    draft.after[product] = status


def _split(found: Differences, refusal: str) -> tuple[Differences, Differences]:
    """What VK refused (this very field or, unnamed, the edit as a whole; nothing has changed since), and the rest."""
    match refusal.rpartition(" ")[2]:
        case "name":
            return Differences(name=found.name), replace(found, name=None)
        case "description":
            return Differences(description=found.description), replace(found, description=None)
        case "price":
            return Differences(kopecks=found.kopecks), replace(found, kopecks=None)
        case "stock":
            return Differences(stock=found.stock), replace(found, stock=None)
        case _:
            return found, Differences()


def _grams_named(link: Link, wanted: Wanted, refused: Differences) -> int:
    """The amount that the description names after this plan."""
    if refused.description is None:
        return wanted.per_grams
    return link.written.per_grams if link.written is not None else 0


def _remember(
    link: Link, wanted: Wanted, source: bytes, item: Item, draft: Draft, refused: Differences, *, hidden: bool
) -> None:
    """Nothing to send, but the digests moved: note it, so that the next survey need not look again.

    The `deleted` flag that VK has now becomes the one to be sent: an item that the owner hid stays hidden.
    What VK refused was not written: it is sent with the next change, or once the owner asks.
    """
    still_ours = link.hidden_by_us and hidden
    if link.source == source and link.face == item.face and link.hidden_by_us == still_ours:
        return
    written = link.written or Written()
    written = replace(
        written,
        kopecks=wanted.kopecks,
        stock=wanted.stock,
        hidden=hidden,
        per_grams=_grams_named(link, wanted, refused),
        name=written.name if link.keeps_text or wanted.name is None else wanted.name,
        description=wanted.description if wanted.has_own_text and not link.keeps_text else written.description,
    )
    kept = replace(
        link,
        source=source,
        face=item.face,
        written=written,
        read_back=as_read(item),
        hidden_by_us=still_ours,
    )
    draft.keeps.append(KeepLink(forget_refused(kept, refused)))


def _place(
    product: ProductId, group: GroupKey, link: Link, item: Item, look: Survey, draft: Draft
) -> tuple[bool, Link]:
    """See that the item gets into the album of its group, and out of the one the mirror had put it in.

    Whether the group has an album, and the link, which learns of an album that the item stands in already,
    though not before it is out of the old one: a run that is cut short in between must still know of that.
    """
    key = look.albums.of_group.get(group)
    album = look.albums.existing.get(key) if key is not None else None
    old = link.album
    moving = old is not None and old != album and old in look.albums.ours and old in (item.albums or ())
    if old is not None and moving:
        draft.unplaces.append(Unplace(product, item.id, old))
    if key is None:
        if old is not None and not moving:
            link = replace(link, album=None)
            draft.keeps.append(KeepLink(link))
        return False, link
    stands = album is not None and (album in item.albums if item.albums is not None else album == old)
    if not stands:
        draft.places[key].append(product)
    elif old != album and not moving:
        link = replace(link, album=album)
        draft.keeps.append(KeepLink(link))
    return True, link


def put_away(product: ProductId, unwanted: Unwanted, link: Link, item: Item, source: bytes, draft: Draft) -> None:
    """A pushed product that no longer belongs on sale: leave, hide or sell out its item."""
    now_hidden = is_hidden(link, item)
    before = link.written or Written()
    link = forget_touched(link, item, name=True, text=True, rest=True)
    written = link.written or Written()
    stock: int | None = None
    by_hand: tuple[str, ...] = ()
    if unwanted.effect is Effect.SELL_OUT:
        hidden = now_hidden and not link.hidden_by_us
        if hidden != now_hidden or (item.stock != 0 and not (item.stock is None and before.stock == 0)):
            stock = 0
        if stock == 0 == before.stock and link.read_back is not None and link.read_back.stock == 0:
            by_hand = ("stock",)
        due = stock is not None or hidden != now_hidden
    else:
        hidden = now_hidden or unwanted.effect is Effect.HIDE
        due = hidden != now_hidden
        if due and before.hidden and link.hidden_by_us:
            by_hand = ("hidden",)
    if not due:
        draft.statuses[product] = unwanted.pushed
        if source and (link.source != source or link.face != item.face):
            kept = replace(written, hidden=now_hidden, stock=0 if unwanted.effect is Effect.SELL_OUT else written.stock)
            draft.keeps.append(
                KeepLink(replace(link, source=source, face=item.face, written=kept, read_back=as_read(item)))
            )
        return
    if hidden and not now_hidden:
        # Remembered before it is done: an item hidden by a run that was cut short is shown again all the same.
        draft.keeps.append(KeepLink(replace(link, hidden_by_us=True, face=b"")))
    draft.edits.append(
        EditItem(
            product=product,
            item=item.id,
            why=unwanted.why,
            hidden=hidden,
            source=source,
            link=link,
            before=item,
            stock=stock,
            per_grams=written.per_grams,
            by_hand=by_hand,
            hide_by_us=hidden and (link.hidden_by_us or not now_hidden),
        )
    )
    draft.statuses[product] = Status(Standing.WAIT_CHANGE)
    draft.after[product] = unwanted.pushed
