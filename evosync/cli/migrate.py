"""`migrate`: the database at this version's tables."""

from evosync.db import migrate as revisions
from evosync.settings import Settings


async def migrate(settings: Settings) -> int:
    """Needs no Redis, so that it can run before anything else does."""
    settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    await revisions.upgrade(settings.database_url.get_secret_value())
    print("The database is up to date.")
    return 0
