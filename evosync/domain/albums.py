"""Which album each shown group has, and what must be done to the albums first."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from evosync.domain.action import AddAlbum, AlbumKey, RenameAlbum, TieAlbum
from evosync.domain.catalog import Album
from evosync.domain.ids import ROOT, AlbumId
from evosync.domain.links import AlbumLink
from evosync.domain.policy import Policy
from evosync.domain.shelf import GroupKey, Shelf
from evosync.domain.texts import album_title, fold, fold_vk


@dataclass(frozen=True, slots=True)
class AlbumPlan:
    """`of_group`: the album of each group that has one. `existing`: albums in VK by key.

    `without` are titles of groups for which VK has no room for an album.
    """

    actions: tuple[AddAlbum | TieAlbum | RenameAlbum, ...]
    of_group: Mapping[GroupKey, AlbumKey]
    existing: Mapping[AlbumKey, AlbumId]
    ours: frozenset[AlbumId]
    without: tuple[str, ...]


def title_of(group: GroupKey, shelf: Shelf, policy: Policy) -> str:
    known = shelf.groups.get(group)
    if group[1] == ROOT or known is None:
        return album_title(policy.root_group_title, fallback="Прочее")
    return album_title(known.name, fallback=policy.root_group_title)


def _ties(links: Sequence[AlbumLink], present: Mapping[AlbumId, Album]) -> dict[GroupKey, AlbumLink]:
    """Links to albums that exist. An album that was renamed for one of its groups has left the others."""
    shown = {album.id: fold_vk(album.title) for album in present.values()}
    bearing = {link.album for link in links if fold(link.title) == shown.get(link.album)}
    return {
        (link.store, link.group): link
        for link in links
        if link.album in present and (link.album not in bearing or fold(link.title) == shown[link.album])
    }


def plan_albums(
    sizes: Mapping[GroupKey, int],
    shelf: Shelf,
    albums: Sequence[Album],
    links: Sequence[AlbumLink],
    policy: Policy,
    *,
    complete: bool = True,
) -> AlbumPlan:
    """One album for each title among the groups in `sizes` (group → how many products it shows).

    Groups of one title share an album; an album that bears the title already is taken over. A renamed
    group renames its album, unless the owner renamed that himself or another group still needs the old
    title. Where VK has no more room, the largest groups come first. Not `complete`: `sizes` has some of the groups
    only, so nothing is renamed, for another group may still need the title.
    """
    present = {album.id: album for album in albums}
    by_title: dict[AlbumKey, AlbumId] = {}
    for oldest in sorted(albums, key=lambda album: album.id):
        by_title.setdefault(fold_vk(oldest.title), oldest.id)
    tied = _ties(links, present)
    members: dict[AlbumKey, list[GroupKey]] = defaultdict(list)
    titles: dict[AlbumKey, str] = {}
    for group in sorted(sizes):
        title = title_of(group, shelf, policy)
        key = fold(title)
        members[key].append(group)
        titles.setdefault(key, title)

    # An album that bears the title of a shown group is that group's, whatever an older memory says.
    bearer = {album: key for key, album in by_title.items() if key in members}
    own_of = {
        key: [tied[group] for group in groups if group in tied and bearer.get(tied[group].album, key) == key]
        for key, groups in members.items()
    }
    needed_as_is = {link.album for key, own in own_of.items() for link in own if fold(link.title) == key}
    existing: dict[AlbumKey, AlbumId] = {}
    actions: list[AddAlbum | TieAlbum | RenameAlbum] = []
    missing: list[AlbumKey] = []
    for key, groups in members.items():
        own = own_of[key]
        same = next((link for link in own if fold(link.title) == key), None)
        moved = next((link for link in own if link.album not in needed_as_is), None)
        if same is not None:
            existing[key] = same.album
            untied = tuple(group for group in groups if group not in tied or tied[group].album != same.album)
            if untied:
                actions.append(TieAlbum(key, same.album, same.title, same.read_back, untied, adopted=same.adopted))
        elif key in by_title and (moved is None or by_title[key] == moved.album):
            album = by_title[key]
            existing[key] = album
            actions.append(TieAlbum(key, album, titles[key], present[album].title, tuple(groups), adopted=True))
        elif moved is not None:
            existing[key] = moved.album
            needed_as_is.add(moved.album)
            if not complete:
                continue
            if fold_vk(present[moved.album].title) == fold_vk(moved.read_back):
                actions.append(RenameAlbum(key, moved.album, titles[key], tuple(groups)))
            else:
                actions.append(
                    TieAlbum(
                        # What VK made of our own title stays remembered: the owner's rename holds for good.
                        key,
                        moved.album,
                        titles[key],
                        moved.read_back,
                        tuple(groups),
                        adopted=moved.adopted,
                    )
                )
        else:
            missing.append(key)

    room = max(policy.max_albums - len(albums), 0)
    missing.sort(key=lambda key: (-sum(sizes[group] for group in members[key]), key))
    actions.extend(AddAlbum(key, titles[key], tuple(members[key])) for key in missing[:room])
    without = missing[room:]
    left_out = set(without)
    return AlbumPlan(
        actions=tuple(actions),
        of_group={group: key for key, groups in members.items() if key not in left_out for group in groups},
        existing=existing,
        ours=frozenset({link.album for link in links} | set(existing.values())),
        without=tuple(titles[key] for key in without),
    )
