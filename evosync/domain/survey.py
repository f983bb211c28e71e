"""The first look at both catalogs: which products are plainly in step, and which need a second look.

Nine products in ten are unchanged in nearly every run. They are recognised by two digests, so that
neither their texts are made again nor their links loaded whole.
"""

from collections import defaultdict
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass

from evosync.domain.albums import AlbumPlan, plan_albums
from evosync.domain.catalog import Product, Shop, Till
from evosync.domain.ids import ProductId
from evosync.domain.kinds import risky_kind
from evosync.domain.links import AlbumLink, Link, LinkState
from evosync.domain.policy import Choice, Policy
from evosync.domain.shelf import GroupKey, Shelf, arrange
from evosync.domain.wanted import lead_of, policy_digest, source_digest


@dataclass(frozen=True, slots=True)
class Survey:
    """`shown`: rows of each product that is shown, lead first where it matters. `settled` are in step.

    `open` are shown products that need a second look; their links must be loaded whole for it.
    """

    shelf: Shelf
    shop: Shop
    policy: Policy
    shown: Mapping[ProductId, tuple[Product, ...]]
    sources: Mapping[ProductId, bytes]
    albums: AlbumPlan
    settled: frozenset[ProductId]
    open: tuple[ProductId, ...]


def _belongs_on_sale(lead: Product, policy: Policy) -> bool:
    if not lead.sellable or not lead.kopecks:
        return False
    kind = risky_kind(lead.kind)
    return kind is None or kind in policy.allowed_kinds


def survey(
    till: Till,
    shop: Shop,
    links: Mapping[ProductId, Link],
    album_links: Sequence[AlbumLink],
    choice: Choice,
    policy: Policy,
    unrest: Container[ProductId] = frozenset(),
) -> Survey:
    """Sort products into those in step and those to be looked at.

    For a hint, `till` holds the products that it names alone, and `shop` is not complete.

    `unrest`: products that are said to stand elsewhere than at rest. They are looked at in any case, so that one that
    came into step by itself (an edit whose answer was lost, a group switched off and on) is said to be so.
    """
    shelf = arrange(till, choice)
    shown: dict[ProductId, tuple[Product, ...]] = {}
    album_group: dict[ProductId, GroupKey] = {}
    sizes: dict[GroupKey, int] = defaultdict(int)
    for product, variants in shelf.variants.items():
        rows = variants if len(variants) == 1 and shelf.shows(variants[0]) else tuple(filter(shelf.shows, variants))
        if not rows:
            continue
        shown[product] = rows
        lead = lead_of(rows)
        if _belongs_on_sale(lead, policy):
            group = shelf.group_of(lead)
            album_group[product] = group
            sizes[group] += 1
    albums = plan_albums(sizes, shelf, shop.albums, album_links, policy, complete=shop.complete)

    settings = policy_digest(policy)
    sources: dict[ProductId, bytes] = {}
    settled: set[ProductId] = set()
    still_open: list[ProductId] = []
    for product, rows in shown.items():
        source = sources[product] = source_digest(rows, settings)
        link = links.get(product)
        if link is None or product in unrest or not _is_settled(link, source, shop, albums, album_group.get(product)):
            still_open.append(product)
        else:
            settled.add(product)
    return Survey(
        shelf=shelf,
        shop=shop,
        policy=policy,
        shown=shown,
        sources=sources,
        albums=albums,
        settled=frozenset(settled),
        open=tuple(sorted(still_open)),
    )


def links_to_load(look: Survey, links: Mapping[ProductId, Link]) -> list[ProductId]:
    """Products whose links `plan_from` must have whole."""
    needed = [product for product in look.open if product in links]
    if look.shop.complete:
        needed += [
            product for product, link in links.items() if product not in look.shown and not is_put_away(link, look.shop)
        ]
    else:
        needed += [product for product in links if product not in look.shown]
    return needed


def is_put_away(link: Link, shop: Shop) -> bool:
    """An item that the mirror hid, and that stands as it left it."""
    item = shop.items.get(link.item) if link.item is not None else None
    return item is not None and link.hidden_by_us and link.face == item.face


def _is_settled(link: Link, source: bytes, shop: Shop, albums: AlbumPlan, group: GroupKey | None) -> bool:
    if link.state is not LinkState.LIVE or link.item is None or link.source != source:
        return False
    item = shop.items.get(link.item)
    if item is None or item.face != link.face or item.rejection:
        return False
    if group is None:
        return True
    key = albums.of_group.get(group)
    if key is None:
        return link.album is None
    album = albums.existing.get(key)
    return album is not None and link.album == album and (item.albums is None or album in item.albums)
