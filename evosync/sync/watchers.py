"""Those who look on while runs go: any number, coming and going."""

from collections.abc import Iterator
from contextlib import contextmanager

from evosync.domain.ids import RunId, UserId
from evosync.domain.mirror import Progress, RunRecord, Tally
from evosync.sync.ports import Watcher


class Watchers:
    """Passes what it sees on to all that are there."""

    def __init__(self) -> None:
        self._watchers: list[Watcher] = []

    @contextmanager
    def joined(self, watcher: Watcher) -> Iterator[None]:
        self._watchers.append(watcher)
        try:
            yield
        finally:
            self._watchers.remove(watcher)

    def saw(self, user: UserId, run: RunId, progress: Progress, tally: Tally) -> None:
        for watcher in self._watchers:
            watcher.saw(user, run, progress, tally)

    def ended(self, record: RunRecord) -> None:
        for watcher in self._watchers:
            watcher.ended(record)
