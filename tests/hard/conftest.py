"""The worlds of the run's and the processes' tests."""

from tests.journeys.conftest import falling_world, mariadb_world, private_url, sqlite_world, world

__all__ = ["falling_world", "mariadb_world", "private_url", "sqlite_world", "world"]
