"""Which item is a product's: by its link, by its marker, by a title that only the two share."""

from dataclasses import replace
from datetime import datetime, timedelta

from evosync.domain.action import (
    KeepLink,
)
from evosync.domain.catalog import Availability, Item, Shop
from evosync.domain.differences import as_read
from evosync.domain.draft import Draft, Index, title_of
from evosync.domain.ids import ItemId, ProductId
from evosync.domain.links import Link, LinkState, ReadBack, Written
from evosync.domain.marker import marker
from evosync.domain.status import Standing, Status
from evosync.domain.survey import Survey
from evosync.domain.texts import fold, fold_vk
from evosync.domain.wanted import Unwanted, Wanted


def bind(
    product: ProductId,
    link: Link | None,
    look: Survey,
    index: Index,
    draft: Draft,
    wanted: Wanted | Unwanted,
    *,
    read_at: datetime,
    settle: timedelta,
) -> tuple[Link | None, Item | None]:
    """Find the item of a product. Sets a status where the product can go no further in this plan."""
    if link is not None and link.state in {LinkState.LIVE, LinkState.REMOVED} and link.item is not None:
        return _bind_linked(product, link, link.item, look, draft)
    marked = index.by_marker.get(marker(product), ())
    if marked:
        return bind_marked(product, link, marked[0], draft)
    if link is not None and link.state is LinkState.INTENT:
        if not _may_repeat(link, look.shop, draft, read_at=read_at, settle=settle):
            draft.statuses[product] = Status(Standing.WAIT_CHECK)
            draft.look_again.append(product)
        return None, None
    if link is None and isinstance(wanted, Wanted):
        return _bind_titled(product, look, index, draft)
    return None, None


def _bind_linked(
    product: ProductId, link: Link, item_id: ItemId, look: Survey, draft: Draft
) -> tuple[Link | None, Item | None]:
    item = look.shop.items.get(item_id)
    if item is not None and item.availability is not Availability.REMOVED:
        if link.state is LinkState.REMOVED:
            link = replace(link, state=LinkState.LIVE)
            draft.keeps.append(KeepLink(link))
        return link, item
    if item is not None or item_id in look.shop.missing:
        draft.statuses[product] = Status(Standing.REMOVED_IN_VK)
        if link.state is LinkState.LIVE:
            draft.keeps.append(KeepLink(replace(link, state=LinkState.REMOVED)))
    elif link.state is LinkState.REMOVED:
        draft.statuses[product] = Status(Standing.REMOVED_IN_VK)
    else:
        draft.statuses[product] = Status(Standing.WAIT_CHECK)
        draft.look_again.append(product)
    return None, None


def bind_marked(product: ProductId, link: Link | None, item: Item, draft: Draft) -> tuple[Link, Item]:
    """An item of ours whose link was lost, or whose create was never confirmed.

    It may be of an earlier create than the last one sent. So its numbers are compared as they are, and
    its texts are taken for VK's form of ours only where they read the same. Who hid it is not known:
    hidden it stays. Its face is left open, or it would count as in step before it was put right.
    """
    intent = link.written if link is not None and link.state is LinkState.INTENT else None
    written = intent or Written()
    if fold_vk(item.title) != fold(written.name or ""):
        written = replace(written, name=None)
    if fold_vk(item.description) != fold(written.description or ""):
        written = replace(written, description=None)
    found = Link(
        product=product,
        marker=marker(product),
        state=LinkState.LIVE,
        item=item.id,
        written=written,
        read_back=ReadBack(),
        source=link.source if link is not None else b"",
        photo_source=link.photo_source if link is not None else "",
        created_at=link.created_at or link.intent_at if link is not None else None,
    )
    draft.keeps.append(KeepLink(found, adopted=link is None))
    return found, item


def _may_repeat(link: Link, shop: Shop, draft: Draft, *, read_at: datetime, settle: timedelta) -> bool:
    """Whether a create whose outcome nobody knows may be sent once more."""
    if not shop.complete or link.intent_at is None or read_at - link.intent_at < settle:
        return False
    if link.looked_at is None:
        draft.keeps.append(KeepLink(replace(link, looked_at=read_at)))
        return False
    return read_at - link.looked_at >= settle


def _bind_titled(product: ProductId, look: Survey, index: Index, draft: Draft) -> tuple[Link | None, Item | None]:
    title = title_of(look.shown[product])
    same = index.by_title.get(title, ())
    if not same:
        return None, None
    if not look.shop.complete:
        draft.statuses[product] = Status(Standing.WAIT_CREATE)
        draft.look_again.append(product)
        return None, None
    if len(same) > 1 or index.wanted_titles[title] > 1:
        draft.statuses[product] = Status(Standing.SAME_TITLE)
        return None, None
    item = same[0]
    found = Link(
        product=product,
        marker=marker(product),
        state=LinkState.LIVE,
        item=item.id,
        keeps_text=True,
        # Unavailable with a stock of 0 is sold out and follows the till; with any other, its owner hid it.
        written=Written(hidden=item.availability is Availability.UNAVAILABLE and item.stock != 0),
        read_back=as_read(item),
        face=item.face,
    )
    draft.keeps.append(KeepLink(found, adopted=True))
    return found, item
