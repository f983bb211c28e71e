"""One token's way to VK: calls wait together, leave in batches at the token's pace, and each is answered apart."""

import asyncio
import gc
import logging
import random
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from evosync.domain import pace
from evosync.domain.connection import Token
from evosync.domain.errors import CloudError, Overtaken, Quota, Side, Unavailable, Unknown
from evosync.sync.ports import MayWrite
from evosync.vk import faults, script, wire
from evosync.vk.faults import Fault, Kind, to_error
from evosync.vk.pacer import Pacer
from evosync.vk.transport import Lost, NotSent, Transport
from evosync.vk.waiting import AnyCall, Call, Room, SeenItems, Waiting

log = logging.getLogger(__name__)

T = TypeVar("T")

MOST_CALLS = 25
"""VK's own limit of an execute (VK FACTS 5)."""
_FIRST_LIMIT = 10
_REPLY_BYTES = 4_600_000
"""What a batch's answer may come to; VK refuses above about 5 MB (VK FACTS 5)."""
_GUESSED_ITEM_BYTES = 6_000
_TRIES = 5
_LATE_DEPARTURE = pace.LATE / pace.SECOND
"""More than it takes to write a script: a connection had to be opened first."""
_LONGEST_DEPARTURE = 3.0
_HOLD_FOR_PHOTOS = 2.5
_HOLD_FOR_ANSWERS = 0.7
_EXECUTE_REFUSED = frozenset({8, faults.COMPILE, faults.PARAMETER})
"""Of an execute as a whole: nothing in it ran."""

_OURS = "VK client"
"""Code of what broke on our side."""

_MOST_REFUSALS = 3
"""After so many of these in a row no execute is tried any more."""


class TooBig(Exception):
    """Even alone the call's answer passes VK's limit: ask for less."""


@dataclass(frozen=True, slots=True)
class Pressure:
    """How hard to lean on VK.

    `back_off` is the first pause in seconds before a repetition; it doubles. `patience`: for how many seconds a
    call is repeated that VK finds too fast, at the pacer's pace; a count of tries would be used up sooner the fewer
    calls wait.
    """

    batch_limit: int = MOST_CALLS
    max_in_flight: int = 12
    back_off: float = 0.5
    patience: float = 60.0


Seen = Callable[[str, str, float], None]
"""Told of every call that ended: its method, the error's code or "ok", and the seconds since it was wanted."""


def unseen(_method: str, _code: str, _seconds: float) -> None:
    """Nobody counts."""


Landed = Callable[[str, str], None]
"""Told of every request that left, once, when its fate is known: its method, which is `execute` for many calls at
once, and the error's code or "ok". A call that is repeated until it goes well leaves only here a trace of that."""


def unnoticed(_method: str, _code: str) -> None:
    """Nobody counts."""


class Dispatcher:
    """Serves everybody who uses the token in this process. Close it with `aclose`."""

    def __init__(
        self,
        transport: Transport,
        token: Token,
        pacer: Pacer,
        pressure: Pressure = Pressure(),
        *,
        seen: Seen = unseen,
        landed: Landed = unnoticed,
    ) -> None:
        self._transport = transport
        self._token = token
        self._pacer = pacer
        self._pressure = pressure
        self._seen = seen
        self._tell_landed = landed
        self._most = max(1, min(pressure.batch_limit, MOST_CALLS))
        self._limit = min(_FIRST_LIMIT, self._most)
        self._item_bytes = _GUESSED_ITEM_BYTES
        self._reply_bytes = _REPLY_BYTES
        self._waiting = Waiting()
        self._changed = asyncio.Event()
        self._in_flight: set[asyncio.Task[str]] = set()
        self._resting: dict[asyncio.TimerHandle, tuple[AnyCall, ...]] = {}
        self._expected = 0
        self._loop_task: asyncio.Task[None] | None = None
        self._closed = False
        self._refusals = 0
        """Executes in a row that VK refused as a whole."""
        self.requests = 0

    def submit(self, call: Call[T]) -> "asyncio.Future[T]":
        """The call's future answer: a result or a domain error of its own.

        Cancelling it takes the call back while it waits; a request that left is not touched.
        """
        call.answer = asyncio.get_running_loop().create_future()
        if self._closed:
            call.answer.set_exception(_closed())
            return call.answer
        call.since = time.monotonic()
        if self._seen is not unseen:
            call.answer.add_done_callback(partial(self._note, call.method, call.since))
        call.alone = call.alone or self._refusals >= _MOST_REFUSALS
        self._waiting.add(call)
        self._wake()
        return call.answer

    def _note(self, method: str, since: float, answer: "asyncio.Future[Any]") -> None:
        if answer.cancelled():
            return
        error = answer.exception()
        code = "ok" if error is None else error.code if isinstance(error, CloudError) else "too big"
        self._seen(method, code, time.monotonic() - since)

    @contextmanager
    def expecting(self) -> Iterator[None]:
        """While it is open, creates may wait a little for what is being prepared to join their batch."""
        self._expected += 1
        try:
            yield
        finally:
            self._expected -= 1
            self._changed.set()

    async def aclose(self) -> None:
        """Let requests in flight come home, give up what waits."""
        self._closed = True
        while self._loop_task is not None and not self._loop_task.done():
            self._loop_task.cancel()
            # A cancellation can get lost while a connection to the database is opened (before Python 3.12).
            await asyncio.wait({self._loop_task}, timeout=1)
        for handle, calls in self._resting.items():
            handle.cancel()
            self._waiting.add_first(calls)
        self._resting.clear()
        self._give_up(_closed())
        if self._in_flight:
            await asyncio.wait(self._in_flight)
            self._give_up(_closed())

    def _wake(self) -> None:
        self._changed.set()
        if not self._closed and (self._loop_task is None or self._loop_task.done()):
            self._loop_task = asyncio.create_task(self._work(), name="vk-dispatcher")

    def _again(self, calls: tuple[AnyCall, ...]) -> None:
        self._waiting.add_first(calls)
        self._wake()

    async def _work(self) -> None:
        """Send whenever something should leave, until cancelled. No error here may leave callers waiting."""
        try:
            while True:
                await self._until_something_should_leave()
                await self._pacer.slot(self._token.fingerprint)
                granted = time.monotonic()
                batch = await self._allowed(self._waiting.choose(granted, self._room()))
                if self._closed:
                    self._waiting.add_first(batch)
                    return
                batch = self._still_good(batch)
                if batch:
                    await self._launch(batch, granted)
        except CloudError as error:  # the pacer's memory is gone
            self._give_up(error)
        except asyncio.CancelledError:
            raise
        except BaseException as error:
            self._give_up(Unavailable(Side.VK, _OURS, type(error).__name__))
            raise

    async def _allowed(self, batch: tuple[AnyCall, ...]) -> tuple[AnyCall, ...]:
        """Without writes of a run that another has overtaken; asked so late that hardly any time is left for one.

        And without calls that were taken back meanwhile.
        """
        try:
            forbidden = {
                may_leave
                for may_leave in {call.may_leave for call in batch}
                if may_leave is not None and not await _says_yes(may_leave)
            }
        except asyncio.CancelledError:
            self._waiting.add_first(batch)  # to be given up with the rest
            raise
        for call in batch:
            if call.may_leave in forbidden:
                _fail(call, Overtaken(Side.VK, "overtaken", call.method))
        return tuple(call for call in batch if not call.answer.done())

    def _still_good(self, batch: tuple[AnyCall, ...]) -> tuple[AnyCall, ...]:
        """Without calls that waited too long: a process that stood still must not do what others did meanwhile."""
        now = time.monotonic()
        for call in batch:
            if call.good_until < now:
                log.warning("vk: waited too long to be sent", extra={"method": call.method})
                # One that VK only ever found too fast was never done: that much is known of it.
                refused = Unavailable(Side.VK, f"VK {faults.THROTTLED}", call.method)
                _fail(call, refused if call.too_fast_since is not None else _unknown(call, _OURS))
        return tuple(call for call in batch if call.good_until >= now)

    def _give_up(self, error: CloudError) -> None:
        for call in self._waiting.take_if(lambda _: True):
            _fail(call, type(error)(error.side, error.code, error.detail))

    async def _until_something_should_leave(self) -> None:
        while True:
            self._changed.clear()
            pause: float | None = None
            if len(self._in_flight) < self._pressure.max_in_flight:
                pause = self._waiting.wait(time.monotonic(), self._room(), hold=self._hold)
            if pause == 0:
                return
            try:
                async with asyncio.timeout(pause):
                    await self._changed.wait()
            except TimeoutError:
                continue

    @property
    def _hold(self) -> float:
        """How long creates may wait for more: photos under way surely bring some, answers under way perhaps."""
        if self._expected:
            return _HOLD_FOR_PHOTOS
        return _HOLD_FOR_ANSWERS if self._in_flight or self._resting else 0.0

    def _room(self) -> Room:
        return Room(calls=self._limit, items=max(1, self._reply_bytes // self._item_bytes))

    async def _launch(self, batch: tuple[AnyCall, ...], granted: float) -> None:
        """Start the request and wait until it begins to leave; tell the pacer if that is long after `granted`."""
        left: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def leaving() -> None:
            if not left.done():
                left.set_result(None)
                self.requests += 1

        as_execute = len(batch) > 1 or (batch[0].read_back is not None and not batch[0].alone)
        method = "execute" if as_execute else batch[0].method
        task = asyncio.create_task(self._send(batch, leaving, as_execute=as_execute), name="vk-request")
        self._in_flight.add(task)
        task.add_done_callback(lambda done: self._landed(done, batch, method if left.done() else ""))
        either: set[asyncio.Future[Any]] = {left, task}
        await asyncio.wait(either, timeout=_LONGEST_DEPARTURE, return_when=asyncio.FIRST_COMPLETED)
        delay = time.monotonic() - granted
        if delay > _LATE_DEPARTURE:
            await self._pacer.late(self._token.fingerprint, delay)

    def _landed(self, task: asyncio.Task[str], batch: Sequence[AnyCall], method: str) -> None:
        """`method` is empty for a request that never left."""
        self._in_flight.discard(task)
        self._changed.set()
        error = None if task.cancelled() else task.exception()
        failed = task.cancelled() or error is not None
        if error is not None:
            log.error("vk: a request failed on our side", exc_info=error)
        for call in batch if failed else ():
            _fail(call, _unknown(call, _OURS))
        if method:
            self._tell_landed(method, _OURS if failed else task.result())

    async def _send(self, batch: tuple[AnyCall, ...], leaving: Callable[[], None], *, as_execute: bool) -> str:
        """How it ended: the error's code or "ok"."""
        try:
            status, body = await self._post(batch, leaving, as_execute=as_execute)
        except NotSent as error:
            self._repeat(batch, Unavailable(Side.VK, "VK unreachable", str(error)))
            return "VK unreachable"
        except Lost as error:
            if as_execute:
                self._halve()
            code = "VK timeout" if "Timeout" in str(error) else "VK cut"
            self._lost(batch, code=code, detail=str(error))
            return code
        with _collector_at_rest():
            code, throttled = self._take_home(batch, status, body, as_execute=as_execute)
        if throttled:
            await self._throttled(throttled)
        return code

    def _take_home(
        self, batch: tuple[AnyCall, ...], status: int, body: bytes, *, as_execute: bool
    ) -> tuple[str, tuple[AnyCall, ...]]:
        """Answer every call of the batch, but for those that came too fast: these are returned with the code."""
        try:
            reply = wire.read_reply(status, body)
        except wire.Broken as error:
            if as_execute:
                self._halve()
            self._lost(batch, code=error.code, detail="broken reply")
            return error.code, ()
        if isinstance(reply, Fault):
            return f"VK {reply.code}", self._failed(batch, reply, as_execute=as_execute)
        if not as_execute:
            self._weigh([reply.value], len(body))
            self._deliver(batch[0], reply.value, {})
            return "ok", ()
        self._grow()
        self._weigh(reply.value, len(body))
        throttled = self._deliver_all(batch, reply)
        return f"VK {faults.THROTTLED}" if throttled else "ok", throttled

    async def _post(
        self, batch: tuple[AnyCall, ...], leaving: Callable[[], None], *, as_execute: bool
    ) -> tuple[int, bytes]:
        if not as_execute:
            return await self._transport.call(batch[0].method, batch[0].params, self._token, leaving=leaving)
        back = [(number, call.read_back) for number, call in enumerate(batch) if call.read_back is not None]
        code = script.build([call.code for call in batch], back)
        return await self._transport.call("execute", {"code": code}, self._token, leaving=leaving)

    def _grow(self) -> None:
        """An execute went through: more next time."""
        self._refusals = 0
        self._limit = min(self._limit * 2, self._most)
        self._reply_bytes = min(self._reply_bytes * 5 // 4, _REPLY_BYTES)

    def _weigh(self, values: Any, size: int) -> None:
        """Learn from an answer with many items what one takes in bytes."""
        items = sum(len(wire.entries(each)) for each in values) if isinstance(values, list) else 0
        if items >= self._most:
            self._item_bytes = max(500, size * 105 // 100 // items)

    def _halve(self) -> None:
        self._limit = max(1, self._limit // 2)

    def _deliver_all(self, batch: tuple[AnyCall, ...], reply: wire.Reply) -> tuple[AnyCall, ...]:
        methods = [call.method for call in batch]
        if any(call.read_back is not None for call in batch):
            methods.append("market.getById")
        values = reply.value
        if not isinstance(values, list) or len(values) != len(methods):
            self._lost(batch, code="VK shape", detail="another number of values")
            return ()
        found = tuple(script.faults_of(methods, values, reply.faults))
        seen: SeenItems = wire.read_owned_items(values[-1]) if len(values) > len(batch) else {}
        throttled: list[AnyCall] = []
        for call, value, fault in zip(batch, values, found, strict=False):
            if fault is None:
                self._deliver(call, value, seen)
            elif fault.kind is Kind.THROTTLED:
                throttled.append(call)
            else:
                self._fail_one(call, fault)
        return tuple(throttled)

    def _deliver(self, call: AnyCall, value: Any, seen: SeenItems) -> None:
        """Hand over the result. A value of an unexpected shape is a broken reply of this one call."""
        try:
            result = call.read(value, seen)
        except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
            log.warning("vk: odd value", extra={"method": call.method, "error": type(error).__name__})
            self._lost((call,), code="VK shape", detail="odd value")
        else:
            if not call.answer.done():
                call.answer.set_result(result)

    def _failed(self, batch: tuple[AnyCall, ...], fault: Fault, *, as_execute: bool) -> tuple[AnyCall, ...]:
        """The request as a whole was answered with an error."""
        if fault.kind is Kind.THROTTLED:
            return batch
        if as_execute and fault.code in _EXECUTE_REFUSED:
            self._refusals += 1
            log.warning("vk: execute refused, calls go singly", extra={"code": fault.code, "detail": fault.message})
            for call in batch:
                call.alone = True
            self._again(batch)
        elif fault.is_too_big:
            self._too_big(batch)
        elif fault.kind is Kind.OUTAGE:
            if as_execute and fault.code == faults.RUNTIME:
                self._halve()
            self._lost(batch, code=f"VK {fault.code}", detail=fault.message)
        else:
            for call in batch:
                self._fail_one(call, fault)
        return ()

    def _too_big(self, batch: tuple[AnyCall, ...]) -> None:
        """Half as much next time; a call that was too big alone goes back to its caller to be split."""
        self._halve()
        if len(batch) == 1:
            _fail(batch[0], TooBig() if batch[0].repeatable else _unknown(batch[0], f"VK {faults.RUNTIME}"))
            return
        items = sum(call.items for call in batch)
        self._reply_bytes = max(self._item_bytes, min(self._reply_bytes, items * self._item_bytes) // 2)
        self._lost(batch, code=f"VK {faults.RUNTIME}", detail="too big")

    def _fail_one(self, call: AnyCall, fault: Fault) -> None:
        if fault.kind is Kind.OUTAGE or fault.code == 0:
            self._lost((call,), code=f"VK {fault.code}", detail=fault.message)
            return
        error = to_error(fault, method=call.method, write=not call.repeatable)
        _fail(call, error)
        if isinstance(error, Quota):
            self._stop(error, fault)

    def _stop(self, quota: Quota, fault: Fault) -> None:
        """VK has enough of a method: what waits for the same would only make it worse.

        Also where it wants a person (14): creates bring that about, and prices must go on being put right; should
        VK refuse those too, it says so of them.
        """
        stopped = self._waiting.take_if(lambda call: call.method == quota.method)
        for call in stopped:
            _fail(call, to_error(fault, method=call.method, write=not call.repeatable))

    async def _throttled(self, calls: tuple[AnyCall, ...]) -> None:
        """Error 6: refused before anything was done, so that writes too are safe to repeat (VK FACTS 4)."""
        log.info("vk: too fast", extra={"calls": len(calls)})
        now = time.monotonic()
        again = []
        for call in calls:
            call.too_fast_since = call.too_fast_since or now
            if now < call.too_fast_since + self._pressure.patience:
                again.append(call)
            else:
                _fail(call, Unavailable(Side.VK, f"VK {faults.THROTTLED}", call.method))
        await self._pacer.too_fast(self._token.fingerprint)
        self._again(tuple(again))

    def _lost(self, calls: Sequence[AnyCall], *, code: str, detail: str) -> None:
        """Nobody told what became of `calls`: reads are repeated, writes left to whoever can look."""
        for call in calls:
            if not call.repeatable:
                _fail(call, _unknown(call, code))
        self._repeat([call for call in calls if call.repeatable], Unavailable(Side.VK, code, detail))

    def _repeat(self, calls: Sequence[AnyCall], error: CloudError) -> None:
        """After a pause with jitter that doubles each time, until the tries are used up."""
        again = []
        for call in calls:
            call.tries += 1
            if call.tries < _TRIES and not self._closed:
                again.append(call)
            else:
                _fail(call, type(error)(error.side, error.code, error.detail))
        if not again:
            return
        pause = self._pressure.back_off * 2 ** (again[0].tries - 1) * random.uniform(0.75, 1.25)  # noqa: S311 - no secret

        def wake() -> None:
            self._again(self._resting.pop(handle))

        handle = asyncio.get_running_loop().call_later(pause, wake)
        self._resting[handle] = tuple(again)


@contextmanager
def _collector_at_rest() -> Iterator[None]:
    """For a tree of megabytes that is gone in a moment; searching it for cycles would cost a third of its reading."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


async def _says_yes(may_leave: MayWrite) -> bool:
    try:
        return await may_leave()
    except Exception:  # who cannot ask must not write
        log.exception("vk: nobody could say whether writes may leave")
        return False


def _fail(call: AnyCall, error: Exception) -> None:
    if not call.answer.done():
        call.answer.set_exception(error)


def _unknown(call: AnyCall, code: str) -> CloudError:
    return (Unavailable if call.repeatable else Unknown)(Side.VK, code, call.method)


def _closed() -> CloudError:
    return Unavailable(Side.VK, _OURS, "closing")
