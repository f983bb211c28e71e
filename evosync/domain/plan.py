"""The plan: what must change in VK, in order, and where every product stands. No input, no output."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from itertools import chain

from evosync.domain.action import (
    AddItem,
    HideDouble,
    Note,
    Plan,
    Why,
)
from evosync.domain.binding import bind, bind_marked
from evosync.domain.catalog import Availability, Shop, Till
from evosync.domain.draft import Draft, Index, index_of, refusal_status
from evosync.domain.following import follow, put_away
from evosync.domain.ids import ProductId
from evosync.domain.links import AlbumLink, Link, LinkState
from evosync.domain.marker import marker
from evosync.domain.ordering import finish
from evosync.domain.policy import Choice, Gone, Policy
from evosync.domain.shelf import GroupKey
from evosync.domain.status import Standing, Status
from evosync.domain.survey import Survey, is_put_away, survey
from evosync.domain.wanted import Effect, Unwanted, Wanted, switched_off, want


def make_plan(
    till: Till,
    shop: Shop,
    links: Mapping[ProductId, Link],
    album_links: Sequence[AlbumLink],
    choice: Choice,
    policy: Policy,
    *,
    read_at: datetime,
    settle: timedelta,
) -> Plan:
    """Survey and plan in one go; all `links` must be whole."""
    return plan_from(survey(till, shop, links, album_links, choice, policy), links, read_at=read_at, settle=settle)


def plan_from(look: Survey, links: Mapping[ProductId, Link], *, read_at: datetime, settle: timedelta) -> Plan:
    """Plan for what the survey left open.

    Links named by `links_to_load` must be whole. `read_at`: when the reading of the shop began, which is all that
    it vouches for. `settle` is how long VK may still be doing a write whose reply was lost: a create is repeated
    only after two complete readings, that far apart, without its marker (VK FACTS 8).
    """
    draft = Draft(unchanged=len(look.settled))
    index = index_of(look, links)
    for product in look.open:
        _plan_shown(product, look, links.get(product), index, draft, read_at=read_at, settle=settle)
    _plan_not_shown(look, links, index, draft)
    _plan_doubles(index, links, look, draft)
    _note_prices(look, draft)
    return finish(look, draft)


def _plan_shown(
    product: ProductId,
    look: Survey,
    link: Link | None,
    index: Index,
    draft: Draft,
    *,
    read_at: datetime,
    settle: timedelta,
) -> None:
    rows = look.shown[product]
    wanted = want(rows, look.shelf, look.policy)
    source = look.sources[product]
    found, item = bind(product, link, look, index, draft, wanted, read_at=read_at, settle=settle)
    if found is not None and item is not None:
        if isinstance(wanted, Wanted):
            follow(product, wanted, found, item, source, look, draft)
        else:
            put_away(product, wanted, found, item, source, draft)
    elif product in draft.statuses:
        return
    elif isinstance(wanted, Unwanted):
        draft.statuses[product] = wanted.skipped
    elif wanted.name is None:
        draft.statuses[product] = Status(Standing.SHORT_NAME)
    elif all(row.store in look.shelf.unpaid for row in rows):
        draft.statuses[product] = Status(Standing.STORE_UNPAID, {"store": rows[0].store})
    elif link is not None and link.state is LinkState.REFUSED and link.refused == source:
        draft.statuses[product] = refusal_status(link.refusal)
    else:
        draft.adds.append((_add(product, wanted, wanted.name, source, look), wanted.group, wanted.standing))


def _add(product: ProductId, wanted: Wanted, name: str, source: bytes, look: Survey) -> AddItem:
    return AddItem(
        product=product,
        marker=marker(product),
        name=name,
        description=wanted.description,
        kopecks=wanted.kopecks,
        stock=wanted.stock,
        category=look.policy.category,
        per_grams=wanted.per_grams,
        source=source,
    )


def _plan_not_shown(look: Survey, links: Mapping[ProductId, Link], index: Index, draft: Draft) -> None:
    """Products whose groups or stores are off, and those gone from the till."""
    by_group: dict[GroupKey, Unwanted] = {}
    new_groups: set[str] = set()
    for product in sorted(look.shelf.variants.keys() - look.shown.keys()):
        rows = look.shelf.variants[product]
        key = look.shelf.group_of(rows[0])
        off = by_group.get(key) if len(rows) == 1 else None
        if off is None:
            off = switched_off(rows, look.shelf, look.policy)
            if len(rows) == 1:
                by_group[key] = off
        if off.skipped.standing is Standing.NEW_GROUP:
            new_groups.add(off.skipped.values["group"])
        _plan_absent(product, links.get(product), off, look, index, draft)
    if new_groups:
        draft.notes[Note.NEW_GROUPS].extend(sorted(new_groups))
    if not look.shop.complete:
        return
    hide = look.policy.when_gone is Gone.HIDE
    status = Status(Standing.HIDDEN_GONE if hide else Standing.LEFT_GONE)
    gone = Unwanted(Effect.HIDE if hide else Effect.LEAVE, Why.GONE, skipped=status, pushed=status)
    for product in sorted(links.keys() - look.shelf.variants.keys()):
        _plan_absent(product, links[product], gone, look, index, draft)


def _plan_absent(
    product: ProductId, link: Link | None, off: Unwanted, look: Survey, index: Index, draft: Draft
) -> None:
    if index.strays and (link is None or link.item is None) and marker(product) in index.strays:
        # Created unseen, or its link was lost: without this it would stay on sale for ever.
        link, _ = bind_marked(product, link, index.by_marker[marker(product)][0], draft)
    item = look.shop.items.get(link.item) if link is not None and link.item is not None else None
    if link is None or item is None or link.state is not LinkState.LIVE or item.availability is Availability.REMOVED:
        if off.why is not Why.GONE:  # of what is gone, and no item in VK, there is nothing to say
            draft.statuses[product] = off.skipped
    elif is_put_away(link, look.shop):
        draft.statuses[product] = off.pushed
    else:
        put_away(product, off, link, item, b"", draft)


def _plan_doubles(index: Index, links: Mapping[ProductId, Link], look: Survey, draft: Draft) -> None:
    doubled = {sku: items for sku, items in index.by_marker.items() if len(items) > 1}
    if not doubled:
        return
    known = {marker(product): product for product in chain(look.shelf.variants, links)}
    kept = {keep.link.product: keep.link.item for keep in draft.keeps}
    for sku, items in sorted(doubled.items()):
        product = known.get(sku)
        if product is None:
            continue
        link = links.get(product)
        own = kept.get(product) or (link.item if link is not None else None)
        keep = own if any(item.id == own for item in items) else items[0].id
        for item in items:
            if item.id != keep and item.availability is Availability.AVAILABLE:
                draft.doubles.append(HideDouble(product, item))
                draft.notes[Note.DOUBLES].append(item.title)


def _note_prices(look: Survey, draft: Draft) -> None:
    """Products that several shown stores price differently; the first store's price is taken."""
    for product, rows in look.shown.items():
        if len(rows) > 1 and len({row.kopecks for row in rows if row.sellable}) > 1:
            draft.notes[Note.PRICES_DIFFER].append(product)
    if Note.PRICES_DIFFER in draft.notes:
        draft.notes[Note.PRICES_DIFFER].sort()
