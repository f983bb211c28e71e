"""All methods by name; names are case-sensitive."""

from collections.abc import Callable, Mapping

from evosync.sandbox.vk import albums, items, people, photos
from evosync.sandbox.vk.call import Call

METHODS: Mapping[str, Callable[[Call], object]] = {
    "users.get": people.users_get,
    "account.getAppPermissions": people.app_permissions,
    "groups.getById": people.groups_by_id,
    "groups.get": people.groups_get,
    "market.get": items.get,
    "market.getById": items.get_by_id,
    "market.getCategories": items.get_categories,
    "market.add": items.add,
    "market.edit": items.edit,
    "market.delete": items.delete,
    "market.restore": items.restore,
    "market.getAlbums": albums.get_albums,
    "market.addAlbum": albums.add_album,
    "market.editAlbum": albums.edit_album,
    "market.deleteAlbum": albums.delete_album,
    "market.addToAlbum": albums.add_to_album,
    "market.removeFromAlbum": albums.remove_from_album,
    "market.getProductPhotoUploadServer": photos.upload_server,
    "market.saveProductPhoto": photos.save_photo,
    "market.saveProductPhotoBulk": photos.save_photos,
}
WRITES = frozenset({
    "market.add", "market.edit", "market.delete", "market.restore", "market.addAlbum", "market.editAlbum",
    "market.deleteAlbum", "market.addToAlbum", "market.removeFromAlbum",
})  # fmt: skip
