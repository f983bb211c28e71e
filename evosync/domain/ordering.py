"""The finished plan: what comes first, and what VK's limits leave out."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from evosync.domain.action import (
    Action,
    AddItem,
    AlbumKey,
    EditItem,
    KeepLink,
    Note,
    PlaceItems,
    Plan,
    Why,
)
from evosync.domain.draft import Draft
from evosync.domain.ids import AlbumId, ProductId
from evosync.domain.status import PLAIN, Standing, Status
from evosync.domain.survey import Survey

_URGENCY = {Why.NO_PRICE: 0, Why.NOT_SELLABLE: 1, Why.GONE: 2, Why.SWITCHED_OFF: 2}


def _edit_order(edit: EditItem) -> tuple[int, ProductId]:
    """Wrong prices first, then what must not be sold, then the rest."""
    if edit.kopecks is not None:
        return 0, edit.product
    return _URGENCY.get(edit.why, 3), edit.product


def finish(look: Survey, draft: Draft) -> Plan:
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


def _rank_adds(look: Survey, draft: Draft, filled: Counter[AlbumKey]) -> list[AddItem]:
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
        elif standing.standing in PLAIN:
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


def _fit_albums(look: Survey, draft: Draft, filled: Counter[AlbumKey]) -> None:
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
        if known[product].standing in PLAIN:
            known[product] = Status(Standing.IN_STEP_NO_ALBUM)
    draft.unplaces = [move for move in draft.unplaces if move.product not in left_out]
    draft.notes[Note.ALBUM_FULL] = sorted(full.union(draft.notes[Note.ALBUM_FULL]))
