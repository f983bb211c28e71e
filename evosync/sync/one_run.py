"""The course of a single run, from its start to its record."""

import asyncio
import logging
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial

from structlog.contextvars import bound_contextvars

from evosync.domain.action import AddItem, Note, Plan
from evosync.domain.catalog import Shop
from evosync.domain.connection import EvotorConnection, Health, Token, VkConnection
from evosync.domain.errors import CloudError, GuardTripped, Operators, Rejected, Side, Throttled, Unavailable
from evosync.domain.guard import Finding
from evosync.domain.ids import ProductId, StoreId
from evosync.domain.links import Link, LinkState
from evosync.domain.mirror import (
    Going,
    KnownProduct,
    Mirror,
    Outcome,
    Pause,
    Progress,
    RunRecord,
    Scope,
    Step,
    StoreReading,
    Tally,
)
from evosync.domain.plan import plan_from
from evosync.domain.schedule import next_at, reading_due, wakes
from evosync.domain.status import Standing
from evosync.domain.survey import links_to_load, survey
from evosync.domain.texts import clean_name, fold
from evosync.sync.engine import Engine
from evosync.sync.mailbox import Mailbox, Message
from evosync.sync.ports import Held, ShopSide, TillSide
from evosync.sync.push import Allowance, Push
from evosync.sync.shop_reading import ShopReader
from evosync.sync.till_reading import Asked, Reading, TillReader, with_missed
from evosync.sync.work import Unwritten, Work

log = logging.getLogger(__name__)

_LOOK_SECONDS = 2.0
"""How often a run asks whether it is still wanted, and notes its progress."""

_REST = timedelta(minutes=10)
"""How long looking again, which costs a whole reading, may be put off where it has not helped for a while."""

_UNSAID = KnownProduct(b"", b"")
"""Of a product: nothing that is stored says where it stands."""

_NAMES = {Side.EVOTOR: "Evotor", Side.VK: "VK"}

_BIG = 300
"""From so many products on, planning moves to a thread, so that the loop goes on meanwhile."""

FINAL = frozenset({"VK 5", "VK 27", "VK 3609", "prices", "Evotor 401", "Evotor 403"})
"""Reasons that only the owner can clear; all others are tried again by later runs."""


@dataclass(frozen=True, slots=True)
class Planned:
    """A plan with what it was made from; `known`: how products stood by then."""

    plan: Plan
    links: Mapping[ProductId, Link]
    shop: Shop
    known: Mapping[ProductId, KnownProduct]


class OneRun:
    """Goes through the three steps and records how it ended. `dry`: plans, and writes nothing to VK."""

    def __init__(
        self,
        engine: Engine,
        mirror: Mirror,
        message: Message,
        stopping: asyncio.Event,
        mailbox: Mailbox,
        held: Held,
        *,
        dry: bool = False,
    ) -> None:
        self._engine = engine
        self._mirror = mirror
        self._message = message
        self._stopping = stopping
        self._mailbox = mailbox
        self._held = held
        self._dry = dry
        self._rhythm = (
            engine.terms.rhythm if mirror.interval is None else replace(engine.terms.rhythm, full=mirror.interval)
        )
        self._tally = Tally()
        self._unwritten = Unwritten(self._tally)
        self._progress = Progress(Step.CATALOG)
        self._readings: Mapping[StoreId, StoreReading] = mirror.readings
        self._pauses: dict[str, Pause] = dict(mirror.pauses)
        self._shop_read_at = mirror.shop_read_at
        self._notes: dict[Note, set[str]] = {}
        self._work: Work | None = None
        self._going = Going.ON
        self._everybodys = False
        self._look_again = False
        self._side = Side.EVOTOR
        self._told_to_wait = timedelta()
        self._till: TillSide | None = None
        self._till_reader: TillReader | None = None
        self._asked: Asked | None = None
        self._refused: CloudError | None = None
        self._shop: ShopSide | None = None
        self.planned: Planned | None = None

    async def go(self) -> RunRecord | None:
        """The whole run; cloud errors end up in its record, anything else is a crash.

        None where another run of the owner is alive: his lease was forgotten, and that run ends by itself soon. Or
        where the mirror was changed since it was loaded: with what there was before, it would not do what is wished.
        """
        engine, user = self._engine, self._mirror.user
        full = self._is_full()
        scope = Scope.FULL if full else self._message.scope
        reasons, at = sorted(self._message.reasons), engine.clock()
        if self._message.routine and not full and not self._dry:
            record = await self._look_first(at)
            if record is not None:
                return record
        if self._held.lost:  # asking the till took long
            return None
        if self._dry:
            run = await engine.ledger.start_look(user, reasons=reasons, at=at)
        else:
            run = await engine.ledger.start_run(user, scope=scope, reasons=reasons, at=at, loaded=self._mirror)
        if run is None:
            log.warning("another run of the user is alive, or his mirror is another one now", extra={"user": user})
            return None
        self._run = run
        with bound_contextvars(user_id=user, run_id=run):  # of every line until its end, VK's calls included
            try:
                return await self._go(full=full)
            except Exception:  # whatever it was: only the run that counts may set its owner back
                if self._dry or await engine.ledger.is_open(run):
                    raise
                log.exception("an overtaken run crashed")  # which is no reason to put off the one after it
                return None

    async def _look_first(self, at: datetime) -> RunRecord | None:
        """Eleven of twelve routine runs find nothing new: they are written down once, after the till has answered.

        Whatever else it says is kept for the run that now has to begin: news may only be stored by a run that stands in
        the database, so that it is gone on with if this process dies.
        """
        evotor = self._mirror.evotor
        if evotor is None:
            return None
        try:
            self._asked = await self._ask(evotor)
        except CloudError as error:
            self._refused = error
            return None
        if not self._asked.is_quiet or self._held.lost or evotor.health is not Health.OK:
            return None
        engine, user = self._engine, self._mirror.user
        await engine.breakers.saw(Side.EVOTOR, user, None)
        self._readings = self._asked.readings
        record = await engine.ledger.note_quiet_run(
            user,
            reasons=sorted(self._message.reasons),
            outcome=Outcome.OK if self._has_shop() else Outcome.READ_ONLY,
            tally=self._counted(),
            readings=self._readings,
            next_at=self._next_at(0, "", Outcome.OK),
            started_at=at,
            at=engine.clock(),
        )
        engine.watcher.ended(record)
        return record

    async def _go(self, *, full: bool) -> RunRecord:
        engine = self._engine
        over = asyncio.Event()
        looking = asyncio.create_task(self._look_on(over))
        failures = 0
        code = ""
        try:
            outcome = await self._steps(full=full)
        except CloudError as error:
            if await self._is_unwanted():
                log.info("unwanted run failed", extra={"user": self._mirror.user, "code": error.code})
                outcome = Outcome.CUT
            else:
                outcome, code = await self._failed(error)
                failures = self._mirror.failures + 1
        finally:
            over.set()
            await _ended(looking)
        if outcome is Outcome.CUT and self._going is Going.UNWANTED:
            code = code or self._going.value
        elif outcome is Outcome.PARTIAL and self._work is not None:
            code = self._work.waits_for
        record = await self._ended(outcome, code, failures, full=full)
        engine.watcher.ended(record)
        return record

    async def _ended(self, outcome: Outcome, code: str, failures: int, *, full: bool) -> RunRecord:
        engine = self._engine
        notes = {note.value: tuple(sorted(values)) for note, values in self._notes.items()}
        if self._dry:
            return await engine.ledger.finish_look(
                self._mirror.user,
                self._run,
                outcome=outcome,
                code=code,
                tally=self._counted(),
                notes=notes,
                readings=self._readings,
                at=engine.clock(),
            )
        if self._left_undone(outcome, full=full):
            self._shop_read_at = None
        return await engine.ledger.finish_run(
            self._run,
            outcome=outcome,
            code=code,
            tally=self._counted(),
            notes=notes,
            readings=self._readings,
            pauses=self._pauses,
            shop_read_at=self._shop_read_at,
            next_at=self._next_at(failures, code, outcome),
            failures=failures,
            at=engine.clock(),
        )

    def _is_full(self) -> bool:
        """Whether this run reads everything: asked for, never done, or due."""
        if self._message.scope is Scope.FULL or not self._readings or self._shop_is_unread():
            return True
        if self._message.scope is Scope.HINT:
            return False
        now, read_at = self._engine.clock(), self._mirror.shop_read_at
        if read_at is not None and any(read_at < pause.until <= now for pause in self._pauses.values()):
            return True  # what waited for VK is in no delta
        return any(
            reading_due(reading, now=now, rhythm=self._rhythm) is Scope.FULL for reading in self._readings.values()
        )

    def _left_undone(self, outcome: Outcome, *, full: bool) -> bool:
        """Whether the next run must read everything: a delta would not see again what this one saw and did not do."""
        failed = outcome is Outcome.FAILED and (full or self._side is Side.VK)
        return self._look_again or failed or outcome in {Outcome.CUT, Outcome.HELD}

    def _shop_is_unread(self) -> bool:
        return self._has_shop() and self._shop_read_at is None

    def _stores_to_ask(self, message: Message) -> list[StoreId]:
        """Stores for a delta: those that a hint names, else those that are switched on, and due if nobody asked."""
        if message.scope is Scope.HINT:
            return sorted(message.whole_stores if message.stores else self._readings.keys())
        now = self._engine.clock()

        def is_asked(reading: StoreReading) -> bool:
            if message.routine:
                return reading_due(reading, now=now, rhythm=self._rhythm) is not None
            return reading.retry_at is None or reading.retry_at <= now

        return [
            store
            for store, reading in self._readings.items()
            if self._mirror.choice.shows_store(store) and is_asked(reading)
        ]

    async def _steps(self, *, full: bool) -> Outcome:
        mirror, engine = self._mirror, self._engine
        if mirror.evotor is None:
            return Outcome.READ_ONLY
        if self._refused is not None:
            raise self._refused
        self._saw(Progress(Step.CATALOG))
        reader = self._reader(mirror.evotor)
        if full:
            reading = await reader.full(self._readings)
        else:
            reading = await reader.take_in(self._asked or await self._ask(mirror.evotor))
        self._readings = reading.readings
        self._tally.products = len({product.id for product in reading.till.products})
        await engine.breakers.saw(Side.EVOTOR, mirror.user, None)
        if mirror.evotor.health is Health.BROKEN:
            await engine.ledger.mend_connection(mirror.user, Side.EVOTOR, wish_at=engine.clock() if self._dry else None)
        if mirror.vk is None or not self._has_shop():
            return Outcome.READ_ONLY
        if not full and not reading.changed:
            return Outcome.OK
        return await self._shop_steps(mirror.vk, reader, reading, full=full)

    def _reader(self, evotor: EvotorConnection) -> TillReader:
        """The same for the whole run. Raises what forbids to ask the till at all."""
        if self._till_reader is None:
            engine = self._engine
            _refuse_unreadable(evotor.token, Side.EVOTOR)
            self._refuse_if_resting(Side.EVOTOR)
            self._till = engine.sides.till(evotor)
            self._till_reader = TillReader(
                self._mirror.user, self._till, engine.ledger, engine.clock, engine.terms.patience, evotor.connected_at
            )
        return self._till_reader

    async def _ask(self, evotor: EvotorConnection) -> Asked:
        """What changed at the till, as far as this run is about it."""
        stores, is_hint = self._stores_to_ask(self._message), self._message.scope is Scope.HINT
        reader = self._reader(evotor)
        return await reader.ask(self._readings, stores, self._message.named, hint=is_hint)

    async def _shop_steps(self, vk: VkConnection, reader: TillReader, reading: Reading, *, full: bool) -> Outcome:
        engine, user = self._engine, self._mirror.user
        self._side = Side.VK
        _refuse_unreadable(vk.token, Side.VK)
        self._refuse_if_resting(Side.VK)
        # The shop must not know the run, which knows it: in such a ring all that was read would outlive the run.
        async with engine.sides.shop(vk, partial(engine.ledger.is_open, self._run)) as shop:
            self._shop = shop
            planned = await self._read_and_plan(shop, vk, reading, full=full)
            await engine.breakers.saw(Side.VK, user, None)
            await self._save_statuses(planned)
            self.planned = planned
            nothing_to_do = not any(self._mirror.choice.stores.values()) and not planned.links
            if self._dry or self._mirror.started_at is None or nothing_to_do:
                await self._mend(vk)
                return Outcome.READ_ONLY
            work = self._new_work(vk, shop)
            self._saw(Progress(Step.MIRROR))
            push = Push(work, planned.plan, planned.links, engine.picture, allowance=await self._allowance(vk, planned))
            await self._push(push, work, vk, reader)
            await self._mend(vk)
            return self._outcome(work)

    async def _mend(self, vk: VkConnection) -> None:
        """Only once writing works too: a shop that may be read and not written is told of once, not every hour."""
        if vk.health is Health.BROKEN and not self._dry:
            await self._engine.ledger.mend_connection(self._mirror.user, Side.VK)

    async def _read_and_plan(self, shop: ShopSide, vk: VkConnection, reading: Reading, *, full: bool) -> Planned:
        """Read the shop as far as needed, and plan."""
        engine, user = self._engine, self._mirror.user
        ledger, community = engine.ledger, vk.community
        reader = ShopReader(user, community, shop, ledger)
        album_links = await ledger.album_links(user, community)
        began = engine.clock()
        if full:
            links = dict(await ledger.links(user, community))
            self._saw(Progress(Step.SHOP, 0, len(links)))
            state = await reader.full(links, on_page=self._read_items)
            self._shop_read_at = began
        else:
            links = dict(await ledger.links(user, community, ids=reading.changed))
            titles = {fold(clean_name(product.name)) for product in reading.till.products if product.id not in links}
            state = await reader.some(links, titles)
        policy = self._mirror.policy
        choice = self._mirror.choice
        known = await self._known(reading, None if full else reading.changed)
        unrest = {product for product, row in known.items() if not row.at_rest}
        big = len(reading.till.products) > _BIG
        args = (reading.till, state, links, album_links, choice, policy, unrest)
        look = await asyncio.to_thread(survey, *args) if big else survey(*args)
        whole = links_to_load(look, links)
        if whole:
            links.update(await ledger.link_details(user, community, whole))
        settle = engine.terms.settle
        if len(look.open) > _BIG:
            plan = await asyncio.to_thread(plan_from, look, links, read_at=began, settle=settle)
        else:
            plan = plan_from(look, links, read_at=began, settle=settle)
        self._count(plan, look.settled)
        return Planned(plan, links, state, known)

    async def _known(self, reading: Reading, ids: Collection[ProductId] | None) -> Mapping[ProductId, KnownProduct]:
        """One row for each product; where its stores' rows say that it stands in different places, none is right."""
        found: dict[ProductId, KnownProduct] = {}
        for store in reading.till.stores:
            rows = reading.known.get(store.id)
            if rows is None:
                rows = await self._engine.ledger.known_products(self._mirror.user, store.id, ids=ids)
            for product, row in rows.items():
                other = found.setdefault(product, row)
                if other.status != row.status:
                    found[product] = _UNSAID
        if ids is None:  # rows that this reading added or brought back were not there yet when it looked
            found.update(dict.fromkeys(reading.changed, _UNSAID))
        return found

    async def _push(self, push: Push, work: Work, vk: VkConnection, reader: TillReader) -> None:
        """Do the plan, and between its writes whatever hints come in; a hint that was begun is finished."""
        over = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            group.create_task(self._take_hints(over, push, work, vk, reader))
            try:
                await push.run()
            finally:
                over.set()
        if work.failure is not None:
            raise work.failure

    async def _take_hints(
        self, over: asyncio.Event, push: Push, work: Work, vk: VkConnection, reader: TillReader
    ) -> None:
        while not over.is_set() and not work.stopping:
            async with asyncio.TaskGroup() as group:
                waits = [group.create_task(event.wait()) for event in (over, self._mailbox.hint_waiting)]
                await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
                for wait in waits:
                    wait.cancel()
            message = None if over.is_set() else self._mailbox.take_hint()
            if message is not None:
                newer = await self._engine.ledger.take_hint(self._mirror.user)
                message = message.merge(Message.about(Scope.HINT, newer)) if newer else message
                await self._do_hint(message, push, work, vk, reader)

    async def _do_hint(self, message: Message, push: Push, work: Work, vk: VkConnection, reader: TillReader) -> None:
        """Read what changed, and write that before the rest of the plan, whose word for these products it takes."""
        try:
            reading = await reader.delta(self._readings, self._stores_to_ask(message), message.named, hint=True)
            self._readings = {**self._readings, **reading.readings}
            if not reading.changed:
                return
            await push.give_up(reading.changed)
            planned = await self._read_and_plan(work.shop, vk, reading, full=False)
            await self._save_statuses(planned)
            allowance = await self._allowance(vk, planned, reserved=push.adds_to_come)
            quick = Push(
                work, planned.plan, planned.links, self._engine.picture, allowance=allowance, urgent=True, beside=push
            )
            await quick.run()
        except CloudError as error:
            if error.side is Side.VK:
                work.fail(error)
            else:  # the till will be asked again by the next run, which reads back beyond this moment
                self._readings = with_missed(self._readings, message.named)
                log.info("hint not read", extra={"user": self._mirror.user, "code": error.code})

    def _new_work(self, vk: VkConnection, shop: ShopSide) -> Work:
        engine = self._engine
        work = Work(
            user=self._mirror.user,
            community=vk.community,
            run=self._run,
            shop=shop,
            ledger=engine.ledger,
            clock=engine.clock,
            tally=self._tally,
            unwritten=self._unwritten,
            watcher=engine.watcher,
            pauses=self._pauses,
            send_within=engine.terms.send_within,
            notes=self._notes,
        )
        self._work = work
        if self._stopping.is_set() or self._held.lost or self._going is not Going.ON:
            work.stop()
        return work

    async def _allowance(self, vk: VkConnection, planned: Planned, *, reserved: int = 0) -> Allowance | None:
        """What the day's limit leaves beside `reserved` creates of the same run.

        A create whose answer was lost counts as done until the plan repeats it.
        """
        limit = self._engine.terms.adds_per_day
        if limit is None:
            return None
        now, day = self._engine.clock(), timedelta(days=1)
        made, first = await self._engine.ledger.adds_since(self._mirror.user, vk.community, now - day)
        repeated = {action.product for action in planned.plan.actions if isinstance(action, AddItem)}
        unsure = [
            link.intent_at
            for product, link in planned.links.items()
            if link.state is LinkState.INTENT and product not in repeated
            if link.intent_at is not None and link.intent_at >= now - day
        ]
        oldest = min([*unsure, first or now])
        return Allowance(max(limit - made - len(unsure) - reserved, 0), oldest + day)

    async def _save_statuses(self, planned: Planned) -> None:
        """Write where products stand, those alone that stand elsewhere than is stored."""
        known, ledger = planned.known, self._engine.ledger
        changed = {
            product: status
            for product, status in planned.plan.statuses.items()
            if product not in known or known[product].status != status.digest
        }
        if changed:
            await ledger.save_statuses(self._mirror.user, changed, run=self._run, at=self._engine.clock())

    def _count(self, plan: Plan, settled: Collection[ProductId]) -> None:
        """Also of a hint's plan, whose products the run's own has counted before."""
        self._unwritten.forget(plan.after)
        self._unwritten.count(
            dict.fromkeys(settled, Standing.IN_STEP)
            | {product: status.standing for product, status in plan.statuses.items() if product not in plan.after}
        )
        for note, values in plan.notes.items():
            self._notes.setdefault(note, set()).update(values)
        if plan.look_again:
            self._look_again = True

    def _counted(self) -> Tally:
        if self._till is not None:
            self._tally.evotor_requests = self._till.requests
        if self._shop is not None:
            self._tally.vk_requests = self._shop.requests
        return self._tally

    def _outcome(self, work: Work) -> Outcome:
        if work.stopping:
            return Outcome.CUT
        if work.unsure:
            self._look_again = True
        return Outcome.PARTIAL if self._tally.failed or self._look_again or work.waits_for else Outcome.OK

    def _has_shop(self) -> bool:
        return self._mirror.vk is not None and self._usable(self._mirror.vk)

    def _usable(self, vk: VkConnection) -> bool:
        return vk.health is Health.OK or (vk.health is Health.BROKEN and vk.reason not in FINAL)

    def _refuse_if_resting(self, side: Side) -> None:
        if self._engine.breakers.resting(side, self._mirror.user):
            raise Unavailable(side, f"{_NAMES[side]} resting", "the cloud is in trouble for many owners")

    async def _is_unwanted(self) -> bool:
        """Asked once more when it fails: the key that is refused may be one that the owner has replaced."""
        if self._dry:
            return False
        await self._beat()
        return self._going is Going.UNWANTED

    async def _failed(self, error: CloudError) -> tuple[Outcome, str]:
        """Say what the error means for this owner, unless it is everybody's."""
        engine, user = self._engine, self._mirror.user
        log.info("run failed", extra={"user": user, "side": error.side.value, "code": error.code})
        self._everybodys = await engine.breakers.saw(error.side, user, error)
        if isinstance(error, Throttled) and error.wait is not None:
            self._told_to_wait = error.wait
        if error.side is Side.EVOTOR:
            self._readings = with_missed(self._readings, self._message.named)
        finding = None
        if isinstance(error, GuardTripped) and error.got:
            finding = Finding(error.code, error.wanted, error.got, error.detail)
            self._notes.setdefault(Note.GUARD, set()).add(str(finding))
        if isinstance(error, Operators):
            await engine.bell.operator(error.code, error.detail)
        elif isinstance(error, Rejected | GuardTripped) and not self._everybodys:
            used = self._mirror.vk if error.side is Side.VK else self._mirror.evotor
            newly = await engine.ledger.break_connection(
                user, error.side, reason=error.code, at=engine.clock(), connected_at=used.connected_at if used else None
            )
            if newly:
                await engine.bell.connection_broken(user, error.side, error.code, finding)
        return (Outcome.HELD if isinstance(error, GuardTripped) else Outcome.FAILED), error.code

    def _next_at(self, failures: int, code: str, outcome: Outcome) -> datetime | None:
        now = self._engine.clock()
        if code in FINAL and self._side is Side.EVOTOR and not self._everybodys:
            return None
        if outcome is Outcome.CUT and self._going is not Going.UNWANTED:
            return now
        if self._look_again:
            behind = now - (self._mirror.behind_since or now)
            return now + self._engine.terms.settle + timedelta(seconds=1) + min(max(behind / 4, timedelta()), _REST)
        if outcome is Outcome.HELD or code in FINAL:
            failures = 0
        when = wakes(self._readings, self._pauses, rhythm=self._rhythm)
        own = next_at(self._mirror.user, now=now, rhythm=self._rhythm, failures=failures, wakes=when)
        return max(own, now + self._told_to_wait)

    async def _look_on(self, over: asyncio.Event) -> None:
        """Ask now and then whether to go on, and note the progress for other processes to show."""
        stop, end = asyncio.ensure_future(self._stopping.wait()), asyncio.ensure_future(over.wait())
        try:
            while True:
                await asyncio.wait([stop, end], timeout=_LOOK_SECONDS, return_when=asyncio.FIRST_COMPLETED)
                if over.is_set():
                    return
                if self._work is not None:
                    self._progress = Progress(Step.MIRROR, self._work.done, self._work.total)
                if not stop.done() and not self._held.lost:
                    await self._beat()
                if stop.done() or self._held.lost or self._going is not Going.ON:
                    if self._work is not None:
                        self._work.stop()
                    return
        finally:
            stop.cancel()
            end.cancel()

    async def _beat(self) -> None:
        """One failure does not stop the heart: without it the run would go on deaf, and be taken for dead."""
        try:
            self._going = await self._engine.ledger.progress(
                self._mirror.user, self._run, self._progress, self._counted()
            )
        except Exception:  # the database's; what the run itself writes there ends it
            log.warning("heartbeat not noted", extra={"user": self._mirror.user}, exc_info=True)

    def _read_items(self, count: int) -> None:
        self._saw(Progress(Step.SHOP, count, max(count, self._progress.total)))

    def _saw(self, progress: Progress) -> None:
        self._progress = progress
        self._engine.watcher.saw(self._mirror.user, self._run, progress, self._tally)


async def _ended(looking: "asyncio.Task[None]") -> None:
    """Until it has, and with its error if it has one. It is told to end; what hangs all the same is cancelled.

    Not at once: a cancellation can get lost while a connection to the database is opened (`asyncio.wait_for`, before
    Python 3.12), and such a run would never end, with its heart beating.
    """
    await asyncio.wait([looking], timeout=_LOOK_SECONDS)
    while not looking.done():
        looking.cancel()
        await asyncio.wait([looking], timeout=1)
    with suppress(asyncio.CancelledError):
        looking.result()


def _refuse_unreadable(token: Token, side: Side) -> None:
    """A token that no key opens is the operator's mistake: asking with none would break the owner's connection."""
    if not token.secret:
        raise Operators(side, "unreadable", "SECRET_KEY was changed: put the old one into SECRET_KEY_PREVIOUS")
