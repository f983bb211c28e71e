"""Albums: making and renaming them, putting items in, taking moved ones out."""

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from evosync.domain.action import AddAlbum, AlbumKey, Note, PlaceItems, RenameAlbum, TieAlbum, Unplace
from evosync.domain.catalog import Album
from evosync.domain.errors import CloudError, Full, NotFound, Unknown
from evosync.domain.ids import AlbumId, ItemId, ProductId
from evosync.domain.links import AlbumLink
from evosync.domain.status import PLAIN, Standing, Status
from evosync.sync.ports import Placed
from evosync.sync.together import together
from evosync.sync.work import Work

LIST = 50
"""Items that one call puts into an album (VK FACTS 7)."""

ALBUM_METHOD = "market.addAlbum"
PLACE_METHOD = "market.addToAlbum"
_NO_ALBUM = "VK 1402"
"""Of the two things that are not found, the album: 1403 is about an item (VK FACTS 4)."""


class Placer:
    """Knows the albums by key, and fills them in lists as items come into being."""

    def __init__(
        self,
        work: Work,
        albums: Mapping[AlbumKey, AlbumId],
        made: Iterable[AddAlbum] = (),
        *,
        moves: Iterable[Unplace] = (),
        beside: "Placer | None" = None,
    ) -> None:
        """`beside` is at work in the same shop: an album that it is making is waited for, not made twice.

        The new album of an item in `moves` is remembered only once it is out of the old one: a run that is cut
        short in between leaves it in both, and the next must know.
        """
        self._work = work
        self._beside = beside
        self.filling = asyncio.TaskGroup()
        """The lists on their way into albums. Where it is cancelled they are at once, not only after all else."""
        self._albums: dict[AlbumKey, AlbumId] = dict(albums)
        self._recipes = {action.key: action for action in made}
        self._ready = {key: asyncio.Event() for key in self._recipes}
        self._waiting: dict[AlbumKey, list[tuple[ProductId, ItemId]]] = defaultdict(list)
        self._remade: set[AlbumKey] = set()
        self._moves = {move.product: move for move in moves}
        self._awaited: set[ProductId] = set()
        self._arrived: dict[ProductId, AlbumId] = {}

    async def prepare(self, actions: Sequence[AddAlbum | TieAlbum | RenameAlbum]) -> None:
        """Make the albums that the plan asks for; what cannot be made leaves its items without one."""
        ties = [action for action in actions if isinstance(action, TieAlbum)]
        if ties:
            links = [
                AlbumLink(store, group, tie.album, tie.title, tie.seen, adopted=tie.adopted)
                for tie in ties
                for store, group in tie.groups
            ]
            await self._work.ledger.save_album_links(self._work.user, self._work.community, links)
        renames = (self._rename(action) for action in actions if isinstance(action, RenameAlbum))
        await together([*renames, *(self._make(action) for action in actions if isinstance(action, AddAlbum))])

    def makes(self, key: AlbumKey) -> bool:
        return key in self._recipes

    async def made(self, key: AlbumKey) -> AlbumId | None:
        """The album, once it is known whether it could be made."""
        await self._ready[key].wait()
        return self._albums.get(key)

    async def put(self, key: AlbumKey, items: Sequence[tuple[ProductId, ItemId]]) -> None:
        """Take items for an album; a full list goes off at once."""
        waiting = self._waiting[key]
        waiting.extend(items)
        while len(waiting) >= LIST:
            self.filling.create_task(self._fill(key, waiting[:LIST]))
            del waiting[:LIST]

    async def finish(self, places: Sequence[PlaceItems], items: Mapping[ProductId, ItemId]) -> None:
        """Send what is left, and the existing items that have to move unless the run is to stop."""
        for place in () if self._work.stopping else places:
            self._awaited.update(product for product in place.products if product in self._moves)
            await self.put(place.album, [(product, items[product]) for product in place.products if product in items])
        for key, waiting in self._waiting.items():
            if waiting:
                self.filling.create_task(self._fill(key, waiting[:]))
                waiting.clear()

    async def take_out(self) -> None:
        """Take moved items out of their old albums, if they stand in the new ones."""
        work = self._work
        for move in self._moves.values():
            if work.stopping:
                return
            arrived = self._arrived.get(move.product)
            if arrived is None and move.product in self._awaited:
                continue
            try:
                await work.shop.unplace(move.item, move.album)
            except Unknown:
                work.unsure = True
            except CloudError as error:
                self._take(error, "market.removeFromAlbum")
            else:
                if arrived is not None:
                    await work.ledger.save_placed(work.user, work.community, [Placed(move.product, arrived)])
            work.advance()

    async def _fill(self, key: AlbumKey, batch: list[tuple[ProductId, ItemId]]) -> None:
        work = self._work
        ready = self._ready.get(key)
        if ready is not None:
            await ready.wait()
        if work.failure is not None or work.paused(PLACE_METHOD) is not None:
            return
        album = self._albums.get(key)
        if album is not None:
            await self._put(key, album, batch)
        elif work.paused(ALBUM_METHOD) is None and not work.stopping:
            await self._go_without(batch)

    async def _put(self, key: AlbumKey, album: AlbumId, batch: list[tuple[ProductId, ItemId]]) -> None:
        work = self._work
        try:
            await work.shop.place(album, [item for _, item in batch])
        except NotFound as error:
            if error.code != _NO_ALBUM:
                work.unsure = True  # an item is gone: the next reading tells which
            elif await self._remake(key, album):
                await self._fill(key, batch)
        except Full:
            work.note(Note.ALBUM_FULL, key)
            await self._go_without(batch)
        except Unknown:
            work.unsure = True
        except CloudError as error:
            if self._take(error, PLACE_METHOD):
                await self._go_without(batch)
        else:
            self._arrived.update((product, album) for product, _ in batch if product in self._moves)
            here = [Placed(product, album) for product, _ in batch if product not in self._moves]
            if here:
                await work.ledger.save_placed(work.user, work.community, here)

    async def _go_without(self, batch: Sequence[tuple[ProductId, ItemId]]) -> None:
        work, status = self._work, Status(Standing.IN_STEP_NO_ALBUM)
        statuses = dict.fromkeys((product for product, _ in batch), status)
        await work.ledger.save_statuses(work.user, statuses, run=work.run, at=work.clock(), instead_of=PLAIN)

    async def _make(self, action: AddAlbum) -> None:
        work = self._work
        try:
            if self._beside is not None and self._beside.makes(action.key):
                album = await self._beside.made(action.key)
                if album is not None:
                    await self._tie(action, album)
            elif not work.stopping and work.paused(ALBUM_METHOD) is None:
                album = await work.shop.add_album(action.title)
                await self._tie(action, album)
                work.tally.albums_made += 1
        except Full as full:
            work.note(Note.ALBUMS_FULL, f"{full.code} {action.title}")
        except Unknown:
            work.unsure = True
        except CloudError as error:
            self._take(error, ALBUM_METHOD)
        except BaseException:
            work.stop()  # whoever waits must not take it for an album that cannot be made
            raise
        finally:
            self._ready[action.key].set()
        work.advance()

    async def _tie(self, action: AddAlbum | RenameAlbum, album: AlbumId) -> None:
        """The album goes into the cache too: a delta, which lists no albums, must not miss it and make another."""
        self._albums[action.key] = album
        await self._cache(albums=[Album(album, action.title)])
        links = [AlbumLink(store, group, album, action.title, action.title) for store, group in action.groups]
        await self._work.ledger.save_album_links(self._work.user, self._work.community, links)

    async def _cache(self, *, albums: Sequence[Album] = (), gone: Sequence[AlbumId] = ()) -> None:
        work = self._work
        await work.ledger.save_shop(work.user, work.community, albums=albums, albums_gone=gone, items=(), items_gone=())

    async def _rename(self, action: RenameAlbum) -> None:
        work = self._work
        if work.stopping or work.paused("market.editAlbum") is not None:
            return
        try:
            await work.shop.rename_album(action.album, action.title)
            await self._tie(action, action.album)
        except Unknown:
            work.unsure = True
        except CloudError as error:
            self._take(error, "market.editAlbum")
        work.advance()

    async def _remake(self, key: AlbumKey, album: AlbumId) -> bool:
        """The album is gone: forget it and make it once more (VK FACTS 4, error 1402)."""
        await self._work.ledger.drop_album_links(self._work.user, self._work.community, [album])
        await self._cache(gone=[album])
        recipe = self._recipes.get(key)
        if recipe is None or key in self._remade:
            self._work.unsure = True
            return False
        self._remade.add(key)
        self._albums.pop(key, None)
        self._ready[key] = asyncio.Event()
        await self._make(recipe)
        return key in self._albums

    def _take(self, error: CloudError, method: str) -> bool:
        """True for a plain refusal, which is counted."""
        work = self._work
        if work.take_error(error, method):
            return False
        work.tally.failed += 1
        work.tally.failures[error.code] = work.tally.failures.get(error.code, 0) + 1
        return True
