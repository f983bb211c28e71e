"""The worlds of the run's and the processes' tests, and a disk that can be full."""

from tests.hard.disk import small_disk
from tests.journeys.conftest import falling_world, mariadb_world, private_url, sqlite_world, world

__all__ = ["falling_world", "mariadb_world", "private_url", "small_disk", "sqlite_world", "world"]
