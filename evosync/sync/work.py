"""What the parts of one push share: where to write, what was done, and whether to go on."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from evosync.domain.action import Note
from evosync.domain.errors import CloudError, GuardTripped, Operators, Overtaken, Quota, Rejected, Side, Unavailable
from evosync.domain.guard import most_fail
from evosync.domain.ids import CommunityId, ProductId, RunId, UserId
from evosync.domain.links import Link
from evosync.domain.mirror import Pause, ProductResult, Progress, Step, Tally
from evosync.domain.schedule import next_pause
from evosync.domain.status import AT_REST, Standing, Status
from evosync.sync.ports import Clock, Ledger, ShopSide, Watcher

CHUNK = 24
"""Writes that are sent, and then recorded, together: an `execute` with its read-back is full with them."""


@dataclass(slots=True)
class Unwritten:
    """Products that a run leaves as they are: each counts once, by the last word about it; none that was written."""

    tally: Tally
    _counted: dict[ProductId, Standing] = field(default_factory=dict)
    _written: set[ProductId] = field(default_factory=set)

    def count(self, standings: Mapping[ProductId, Standing]) -> None:
        self.forget(standings)
        for product, standing in standings.items():
            if product not in self._written:
                self._counted[product] = standing
                self._add(standing, 1)

    def forget(self, products: Iterable[ProductId]) -> None:
        """They are being written, or another word about them follows."""
        for product in products:
            standing = self._counted.pop(product, None)
            if standing is not None:
                self._add(standing, -1)

    def wrote(self, products: Iterable[ProductId]) -> None:
        """Or tried to: the tally has them already."""
        self._written.update(products)

    def _add(self, standing: Standing, number: int) -> None:
        tally = self.tally
        if standing in AT_REST:
            tally.unchanged += number
            return
        tally.skipped += number
        tally.reasons[standing.value] = tally.reasons.get(standing.value, 0) + number
        if not tally.reasons[standing.value]:
            del tally.reasons[standing.value]


@dataclass(slots=True)
class Work:
    """One push in hand. `pauses` is by VK method and changes as VK stops methods."""

    user: UserId
    community: CommunityId
    run: RunId
    shop: ShopSide
    ledger: Ledger
    clock: Clock
    tally: Tally
    unwritten: Unwritten
    watcher: Watcher
    pauses: dict[str, Pause]
    send_within: timedelta
    """Of its intent a create must leave so soon, or not at all."""
    notes: dict[Note, set[str]] = field(default_factory=dict)
    total: int = 0
    done: int = 0
    tried: int = 0
    unsure: bool = False
    """A write may or may not have been done, or an item was not there: read the shop again."""
    waits_for: str = ""
    """The code with which VK stopped a method, if writes are left that wait for its end."""
    failure: CloudError | None = None
    stopping: bool = False
    """No further chunk is begun; those in hand are finished and recorded."""

    def stop(self) -> None:
        self.stopping = True

    def fail(self, error: CloudError) -> None:
        """Stop for good; the first error is the run's."""
        if self.failure is None:
            self.failure = error
        self.stop()

    def paused(self, method: str) -> Pause | None:
        pause = self.pauses.get(method)
        return pause if pause is not None and pause.until > self.clock() else None

    def pause(self, method: str, quota: Quota) -> None:
        """VK has stopped the method; how long for grows each time it does. All refusals of one batch are one stop."""
        self.waits_for = quota.code
        if self.paused(method) is not None:
            return
        self.pauses[method] = next_pause(self.pauses.get(method), quota.code, now=self.clock())

    def advance(self, count: int = 1) -> None:
        self.done += count
        self.watcher.saw(self.user, self.run, Progress(Step.MIRROR, self.done, self.total), self.tally)

    def note(self, note: Note, value: str) -> None:
        self.notes.setdefault(note, set()).add(value)

    def count_left(self, statuses: Mapping[ProductId, Status]) -> None:
        """Count what is not done in this run, with the reason that the owner sees."""
        self.unwritten.count({product: status.standing for product, status in statuses.items()})

    def count_failure(self, code: str) -> None:
        """Count a refused write; stops everything when most are refused."""
        self.tally.failed += 1
        self.tally.failures[code] = self.tally.failures.get(code, 0) + 1
        if most_fail(self.tally.failed, self.tried):
            self.fail(GuardTripped(Side.VK, code, "most writes are refused"))

    def take_error(self, error: CloudError, method: str) -> bool:
        """Deal with an error that is not about one product. True if it was such."""
        match error:
            case Quota():
                self.pause(method, error)
            case Rejected() | Operators() | Unavailable() | GuardTripped():
                self.fail(error)
            case Overtaken():
                self.stop()
            case _:
                return False
        return True

    async def record(
        self,
        links: Sequence[Link],
        statuses: Mapping[ProductId, Status],
        results: Sequence[ProductResult],
    ) -> None:
        """Keep what a chunk did. The link comes last: until it is there the plan looks again and mends the rest."""
        if statuses:
            await self.ledger.save_statuses(self.user, statuses, run=self.run, at=self.clock())
        if results:
            self.unwritten.wrote(result.product for result in results)
            await self.ledger.save_results(self.run, results)
        if links:
            await self.ledger.save_links(self.user, self.community, links)
