"""The plan: what must change in VK, in order, and where every product stands. No input, no output."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import chain

from evosync.domain.action import (
    Action,
    AddItem,
    AlbumKey,
    EditItem,
    HideDouble,
    KeepLink,
    Note,
    PlaceItems,
    Plan,
    Unplace,
    Why,
)
from evosync.domain.catalog import Availability, Item, Product, Shop, Till
from evosync.domain.differences import Differences, as_read, differences, forget_touched, is_hidden
from evosync.domain.ids import AlbumId, ItemId, ProductId
from evosync.domain.links import AlbumLink, Link, LinkState, ReadBack, Written
from evosync.domain.marker import PREFIX, marker
from evosync.domain.policy import Choice, Gone, Policy
from evosync.domain.shelf import GroupKey
from evosync.domain.status import Standing, Status
from evosync.domain.survey import Survey, is_put_away, survey
from evosync.domain.texts import clean_name, fold, fold_vk
from evosync.domain.wanted import Effect, Unwanted, Wanted, lead_of, switched_off, want


@dataclass(slots=True)
class _Draft:
    """What the plan gathers while it goes through the products."""

    keeps: list[KeepLink] = field(default_factory=list)
    edits: list[EditItem] = field(default_factory=list)
    adds: list[tuple[AddItem, GroupKey, Status]] = field(default_factory=list)
    doubles: list[HideDouble] = field(default_factory=list)
    places: dict[AlbumKey, list[ProductId]] = field(default_factory=lambda: defaultdict(list))
    unplaces: list[Unplace] = field(default_factory=list)
    statuses: dict[ProductId, Status] = field(default_factory=dict)
    after: dict[ProductId, Status] = field(default_factory=dict)
    notes: dict[Note, list[str]] = field(default_factory=lambda: defaultdict(list))
    look_again: list[ProductId] = field(default_factory=list)
    unchanged: int = 0


@dataclass(frozen=True, slots=True)
class _Index:
    """Our items by marker, `strays` being those markers of which no link names an item; the owner's by title.

    `wanted_titles`: how often the till has each title that an item of the owner's bears.
    """

    by_marker: Mapping[str, Sequence[Item]]
    strays: frozenset[str]
    by_title: Mapping[str, Sequence[Item]]
    wanted_titles: Mapping[str, int]


def make_plan(
    till: Till,
    shop: Shop,
    links: Mapping[ProductId, Link],
    album_links: Sequence[AlbumLink],
    choice: Choice,
    policy: Policy,
    *,
    now: datetime,
    settle: timedelta,
) -> Plan:
    """Survey and plan in one go; all `links` must be whole."""
    return plan_from(survey(till, shop, links, album_links, choice, policy), links, now=now, settle=settle)


def plan_from(look: Survey, links: Mapping[ProductId, Link], *, now: datetime, settle: timedelta) -> Plan:
    """Plan for what the survey left open.

    Links named by `links_to_load` must be whole. `settle` is how long VK may
    still be doing a write whose reply was lost: a create is repeated only after two complete readings,
    that far apart, without its marker (VK FACTS 8).
    """
    draft = _Draft(unchanged=len(look.settled))
    index = _index(look, links)
    for product in look.open:
        _plan_shown(product, look, links.get(product), index, draft, now=now, settle=settle)
    _plan_not_shown(look, links, index, draft)
    _plan_doubles(index, links, look, draft)
    _note_prices(look, draft)
    return _finish(look, draft)


def _index(look: Survey, links: Mapping[ProductId, Link]) -> _Index:
    by_marker: dict[str, list[Item]] = defaultdict(list)
    by_title: dict[str, list[Item]] = defaultdict(list)
    wanted_titles: Counter[str] = Counter()
    for item in look.shop.items.values():
        if item.sku is not None and item.sku.startswith(PREFIX) and item.availability is not Availability.REMOVED:
            by_marker[item.sku].append(item)
    taken = {link.item for link in links.values()}
    followed = set()
    for sku, items in by_marker.items():
        if len(items) > 1:
            items.sort(key=lambda item: item.id)
        if any(item.id in taken for item in items):
            followed.add(sku)
    strays = frozenset(by_marker.keys() - followed)
    if any(product not in links for product in look.open):
        for item in look.shop.items.values():
            ours = item.sku is not None and item.sku.startswith(PREFIX)
            if item.id not in taken and not ours and item.availability is not Availability.REMOVED:
                by_title[fold_vk(item.title)].append(item)
        if by_title:
            titles = (_title_of(rows) for rows in look.shown.values())
            wanted_titles.update(title for title in titles if title in by_title)
    return _Index(by_marker=by_marker, strays=strays, by_title=by_title, wanted_titles=wanted_titles)


def _title_of(rows: Sequence[Product]) -> str:
    return fold(clean_name(lead_of(rows).name))


def _plan_shown(
    product: ProductId,
    look: Survey,
    link: Link | None,
    index: _Index,
    draft: _Draft,
    *,
    now: datetime,
    settle: timedelta,
) -> None:
    rows = look.shown[product]
    wanted = want(rows, look.shelf, look.policy)
    source = look.sources[product]
    found, item = _bind(product, link, look, index, draft, wanted, now=now, settle=settle)
    if found is not None and item is not None:
        if isinstance(wanted, Wanted):
            _plan_item(product, wanted, found, item, source, look, draft)
        else:
            _plan_unwanted(product, wanted, found, item, source, draft)
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


def refusal_status(refusal: str) -> Status:
    """`refusal` is a link's: "code field"."""
    code, _, name = refusal.rpartition(" ")
    if name == "photo":
        return Status(Standing.BAD_PHOTO, {"code": code})
    if name:
        return Status(Standing.REFUSED_FIELD, {"code": code, "field": name})
    return Status(Standing.FAILED, {"code": code})


def _bind(
    product: ProductId,
    link: Link | None,
    look: Survey,
    index: _Index,
    draft: _Draft,
    wanted: Wanted | Unwanted,
    *,
    now: datetime,
    settle: timedelta,
) -> tuple[Link | None, Item | None]:
    """Find the item of a product. Sets a status where the product can go no further in this plan."""
    if link is not None and link.state in {LinkState.LIVE, LinkState.REMOVED} and link.item is not None:
        return _bind_linked(product, link, link.item, look, draft)
    marked = index.by_marker.get(marker(product), ())
    if marked:
        return _bind_marked(product, link, marked[0], draft)
    if link is not None and link.state is LinkState.INTENT:
        if not _may_repeat(link, look.shop, draft, now=now, settle=settle):
            draft.statuses[product] = Status(Standing.WAIT_CHECK)
            draft.look_again.append(product)
        return None, None
    if link is None and isinstance(wanted, Wanted):
        return _bind_titled(product, look, index, draft)
    return None, None


def _bind_linked(
    product: ProductId, link: Link, item_id: ItemId, look: Survey, draft: _Draft
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


def _bind_marked(product: ProductId, link: Link | None, item: Item, draft: _Draft) -> tuple[Link, Item]:
    """An item of ours whose link was lost, or whose create was never confirmed.

    It may be of an earlier create than the last one sent. So its numbers are compared as they are, and
    its texts are taken for VK's form of ours only where they read the same. Who hid it is not known:
    hidden it stays.
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
        face=item.face,
        photo_source=link.photo_source if link is not None else "",
        created_at=link.created_at if link is not None else None,
    )
    draft.keeps.append(KeepLink(found, adopted=link is None))
    return found, item


def _may_repeat(link: Link, shop: Shop, draft: _Draft, *, now: datetime, settle: timedelta) -> bool:
    """Whether a create whose outcome nobody knows may be sent once more."""
    if not shop.complete or link.intent_at is None or now - link.intent_at < settle:
        return False
    if link.looked_at is None:
        draft.keeps.append(KeepLink(replace(link, looked_at=now)))
        return False
    return now - link.looked_at >= settle


def _bind_titled(product: ProductId, look: Survey, index: _Index, draft: _Draft) -> tuple[Link | None, Item | None]:
    title = _title_of(look.shown[product])
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


def _plan_item(
    product: ProductId, wanted: Wanted, link: Link, item: Item, source: bytes, look: Survey, draft: _Draft
) -> None:
    found = differences(wanted, link, item)
    link = forget_touched(link, item, name=wanted.name is None, text=not wanted.has_own_text, rest=False)
    status = wanted.standing
    if link.refused == source and link.refusal:
        status = refusal_status(link.refusal)
        found = _without_refused(found, link.refusal)
    if item.rejection:
        status = Status(Standing.REJECTED, {"text": item.rejection})
    now_hidden = is_hidden(link, item)
    hidden = now_hidden and not link.hidden_by_us
    placed, link = _place(product, wanted.group, link, item, look, draft)
    if not placed and status.standing in _PLAIN:
        status = Status(Standing.IN_STEP_NO_ALBUM)
    if not found and hidden == now_hidden:
        draft.unchanged += 1
        draft.statuses[product] = status
        _remember(link, wanted, source, item, draft, hidden=now_hidden)
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
            link=link,
            before=item,
            name=found.name,
            description=found.description,
            kopecks=found.kopecks,
            # An item is shown together with its stock, whether that differs or not (VK FACTS 2).
            stock=wanted.stock if why is Why.SHOWN_AGAIN else found.stock,
            per_grams=wanted.per_grams,
            by_hand=found.by_hand,
        )
    )
    draft.statuses[product] = Status(Standing.WAIT_CHANGE)
    draft.after[product] = status


def _without_refused(found: Differences, refusal: str) -> Differences:
    """VK refused this very field (or, unnamed, the edit as a whole) and nothing has changed since."""
    match refusal.rpartition(" ")[2]:
        case "name":
            return replace(found, name=None)
        case "description":
            return replace(found, description=None)
        case "price":
            return replace(found, kopecks=None)
        case "stock":
            return replace(found, stock=None)
        case _:
            return Differences()


def _remember(link: Link, wanted: Wanted, source: bytes, item: Item, draft: _Draft, *, hidden: bool) -> None:
    """Nothing to send, but the digests moved: note it, so that the next survey need not look again.

    The `deleted` flag that VK has now becomes the one to be sent: an item that the owner hid stays hidden.
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
        per_grams=wanted.per_grams,
        name=written.name if link.keeps_text or wanted.name is None else wanted.name,
        description=wanted.description if wanted.has_own_text and not link.keeps_text else written.description,
    )
    draft.keeps.append(
        KeepLink(
            replace(
                link,
                source=source,
                face=item.face,
                written=written,
                read_back=as_read(item),
                hidden_by_us=still_ours,
            )
        )
    )


def _place(
    product: ProductId, group: GroupKey, link: Link, item: Item, look: Survey, draft: _Draft
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
        return False, link
    stands = album is not None and (album in item.albums if item.albums is not None else album == old)
    if not stands:
        draft.places[key].append(product)
    elif old != album and not moving:
        link = replace(link, album=album)
        draft.keeps.append(KeepLink(link))
    return True, link


def _plan_unwanted(
    product: ProductId, unwanted: Unwanted, link: Link, item: Item, source: bytes, draft: _Draft
) -> None:
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


def _plan_not_shown(look: Survey, links: Mapping[ProductId, Link], index: _Index, draft: _Draft) -> None:
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
    product: ProductId, link: Link | None, off: Unwanted, look: Survey, index: _Index, draft: _Draft
) -> None:
    if index.strays and (link is None or link.item is None) and marker(product) in index.strays:
        # Created unseen, or its link was lost: without this it would stay on sale for ever.
        link, _ = _bind_marked(product, link, index.by_marker[marker(product)][0], draft)
    item = look.shop.items.get(link.item) if link is not None and link.item is not None else None
    if link is None or item is None or link.state is not LinkState.LIVE or item.availability is Availability.REMOVED:
        draft.statuses[product] = off.skipped
    elif is_put_away(link, look.shop):
        draft.statuses[product] = off.pushed
    else:
        _plan_unwanted(product, off, link, item, b"", draft)


def _plan_doubles(index: _Index, links: Mapping[ProductId, Link], look: Survey, draft: _Draft) -> None:
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


def _note_prices(look: Survey, draft: _Draft) -> None:
    """Products that several shown stores price differently; the first store's price is taken."""
    for product, rows in look.shown.items():
        if len(rows) > 1 and len({row.kopecks for row in rows if row.sellable}) > 1:
            draft.notes[Note.PRICES_DIFFER].append(product)
    if Note.PRICES_DIFFER in draft.notes:
        draft.notes[Note.PRICES_DIFFER].sort()


_PLAIN = frozenset({Standing.IN_STEP, Standing.IN_STEP_PADDED, Standing.IN_STEP_SHORTENED})
"""Standings that a missing album may replace; the others say something that matters more."""

_URGENCY = {Why.NO_PRICE: 0, Why.NOT_SELLABLE: 1, Why.GONE: 2, Why.SWITCHED_OFF: 2}


def _edit_order(edit: EditItem) -> tuple[int, ProductId]:
    """Wrong prices first, then what must not be sold, then the rest."""
    if edit.kopecks is not None:
        return 0, edit.product
    return _URGENCY.get(edit.why, 3), edit.product


def _finish(look: Survey, draft: _Draft) -> Plan:
    filled = _album_fill(look)
    adds = _rank_adds(look, draft, filled)
    _fit_albums(look, draft, filled)
    hand = [edit.product for edit in draft.edits if edit.by_hand]
    if hand:
        draft.notes[Note.HAND_EDITS].extend(sorted(hand))
    if look.albums.without:
        draft.notes[Note.ALBUMS_FULL].extend(look.albums.without)
    edits = sorted(draft.edits, key=_edit_order)
    actions: list[Action] = [*_last_keeps(draft.keeps), *edits]
    actions += draft.doubles
    actions += look.albums.actions
    actions += adds
    actions += [PlaceItems(key, tuple(sorted(products))) for key, products in sorted(draft.places.items()) if products]
    actions += draft.unplaces
    return Plan(
        actions=tuple(actions),
        statuses=draft.statuses,
        after=draft.after,
        albums=look.albums.existing,
        notes={note: tuple(values) for note, values in draft.notes.items()},
        look_again=tuple(draft.look_again),
        unchanged=draft.unchanged,
    )


def _last_keeps(keeps: Sequence[KeepLink]) -> list[KeepLink]:
    """One for each product: the last, which builds upon the earlier ones."""
    last: dict[ProductId, KeepLink] = {}
    for keep in keeps:
        earlier = last.get(keep.link.product)
        last[keep.link.product] = keep if earlier is None else replace(keep, adopted=keep.adopted or earlier.adopted)
    return [last[product] for product in sorted(last)]


def _rank_adds(look: Survey, draft: _Draft, filled: Counter[AlbumKey]) -> list[AddItem]:
    """Give each new item its album, the most useful albums first, and stop at VK's limits."""
    per_group = Counter(group for _, group, _ in draft.adds)
    ranked = sorted(
        draft.adds, key=lambda entry: (-per_group[entry[1]], entry[1], entry[0].stock == 0, entry[0].product)
    )
    room = look.policy.max_items - len(look.shop.items) if look.shop.complete else len(ranked)
    adds: list[AddItem] = []
    for add, group, standing in ranked:
        after = standing
        if len(adds) >= room:
            draft.statuses[add.product] = Status(Standing.SHOP_FULL, {"limit": str(look.policy.max_items)})
            continue
        key = look.albums.of_group.get(group)
        if key is not None and filled[key] >= look.policy.max_album_items:
            draft.notes[Note.ALBUM_FULL].append(key)
            key = None
        if key is not None:
            filled[key] += 1
        elif standing.standing in _PLAIN:
            after = Status(Standing.IN_STEP_NO_ALBUM)
        adds.append(replace(add, album=key))
        draft.statuses[add.product] = Status(Standing.WAIT_CREATE)
        draft.after[add.product] = after
    if len(adds) < len(ranked):
        draft.notes[Note.SHOP_FULL].append(str(len(ranked) - len(adds)))
    draft.notes[Note.ALBUM_FULL] = sorted(set(draft.notes[Note.ALBUM_FULL]))
    if not draft.notes[Note.ALBUM_FULL]:
        del draft.notes[Note.ALBUM_FULL]
    return adds


def _album_fill(look: Survey) -> Counter[AlbumKey]:
    sizes: dict[AlbumId, int] = {album.id: album.size for album in look.shop.albums}
    return Counter({key: sizes.get(album, 0) for key, album in look.albums.existing.items()})


def _fit_albums(look: Survey, draft: _Draft, filled: Counter[AlbumKey]) -> None:
    """Existing items that have to move come after the new ones; a full album takes no more.

    An item that finds no room stays in the album where it is: better the old one than none.
    """
    full: set[AlbumKey] = set()
    left_out: set[ProductId] = set()
    for key, products in draft.places.items():
        joining = sorted(products)
        room = max(look.policy.max_album_items - filled[key], 0)
        if len(joining) > room:
            full.add(key)
            left_out.update(joining[room:])
            draft.places[key] = joining[:room]
    if not full:
        return
    for product in left_out:
        known = draft.after if product in draft.after else draft.statuses
        if known[product].standing in _PLAIN:
            known[product] = Status(Standing.IN_STEP_NO_ALBUM)
    draft.unplaces = [move for move in draft.unplaces if move.product not in left_out]
    draft.notes[Note.ALBUM_FULL] = sorted(full.union(draft.notes[Note.ALBUM_FULL]))
