import asyncio
from collections.abc import Iterator
from typing import Protocol

import pytest

from evosync.sync.ports import Priority
from evosync.vk.script import ReadBack
from evosync.vk.waiting import AnyCall, Call, Room, Waiting

ROOM = Room(calls=5, items=1_000)


class MakeCall(Protocol):
    def __call__(
        self,
        priority: Priority = Priority.NEW,
        *,
        alone: bool = False,
        write: bool = False,
        back: bool = False,
        items: int = 0,
        since: float = 0.0,
        text: str = "",
    ) -> AnyCall: ...


@pytest.fixture
def make() -> Iterator[MakeCall]:
    loop = asyncio.new_event_loop()

    def made(
        priority: Priority = Priority.NEW,
        *,
        alone: bool = False,
        write: bool = False,
        back: bool = False,
        items: int = 0,
        since: float = 0.0,
        text: str = "",
    ) -> AnyCall:
        call: AnyCall = Call(
            "market.x",
            {"t": text},
            lambda value, _: value,
            priority,
            repeatable=not write,
            alone=alone,
            read_back=ReadBack(-1, 1) if back else None,
            items=items,
            since=since,
        )
        call.answer = loop.create_future()
        return call

    yield made
    loop.close()


def queue(*calls: AnyCall) -> Waiting:
    waiting = Waiting()
    for call in calls:
        waiting.add(call)
    return waiting


def test_nothing_leaves_while_nothing_waits() -> None:
    assert Waiting().wait(0, ROOM, hold=0) is None
    assert Waiting().choose(0, ROOM) == ()
    assert not Waiting()


def test_a_full_batch_leaves_at_once(make: MakeCall) -> None:
    waiting = queue(*(make() for _ in range(5)))
    assert waiting.wait(0, ROOM, hold=2.5) == 0
    assert len(waiting.choose(0, ROOM)) == 5
    assert not waiting


def test_the_read_back_takes_one_call_of_the_room(make: MakeCall) -> None:
    waiting = queue(*(make(write=True, back=True) for _ in range(9)))
    assert len(waiting.choose(0, ROOM)) == 4


def test_creates_wait_a_little_for_more_and_urgent_calls_do_not(make: MakeCall) -> None:
    create = queue(make())
    assert create.wait(1.0, ROOM, hold=2.5) == pytest.approx(1.5)
    assert create.wait(1.0, ROOM, hold=0) == 0
    for urgent in (Priority.TEST, Priority.HINT, Priority.PRICE):
        wait = queue(make(urgent)).wait(0, ROOM, hold=2.5)
        assert wait is not None
        assert wait <= 0.03


def test_what_starts_the_pipeline_does_not_wait_for_creates(make: MakeCall) -> None:
    wait = queue(make(Priority.ALBUM), make()).wait(0, ROOM, hold=2.5)
    assert wait is not None
    assert wait <= 0.03


def test_calls_that_open_a_chain_leave_before_others_and_with_their_like_only(make: MakeCall) -> None:
    albums, opening = (make(Priority.ALBUM), make(Priority.ALBUM)), (make(Priority.OPENING), make(Priority.OPENING))
    waiting = queue(*albums, *opening)
    assert waiting.choose(0, ROOM) == opening
    assert waiting.choose(0, ROOM) == albums


def test_single_calls_go_before_a_batch_that_is_not_full(make: MakeCall) -> None:
    single = make(alone=True)
    waiting = queue(make(), single)
    assert waiting.wait(0, ROOM, hold=2.5) == 0
    assert waiting.choose(0, ROOM) == (single,)


def test_a_full_batch_goes_before_single_calls(make: MakeCall) -> None:
    waiting = queue(make(alone=True), *(make() for _ in range(5)))
    assert len(waiting.choose(0, ROOM)) == 5


def test_nobody_waits_for_ever_behind_single_calls(make: MakeCall) -> None:
    old = make(since=0)
    waiting = queue(old, make(alone=True, since=0))
    assert waiting.choose(10, ROOM) == (old,)


@pytest.mark.parametrize("urgent", [Priority.TEST, Priority.HINT, Priority.PRICE])
def test_an_urgent_call_leaves_first_and_takes_others_along(make: MakeCall, urgent: Priority) -> None:
    creates = [make() for _ in range(9)]
    first = make(urgent)
    waiting = queue(make(alone=True), *creates, first)
    assert waiting.choose(0, ROOM) == (first, *creates[:4])


def test_an_urgent_single_call_goes_before_a_full_batch(make: MakeCall) -> None:
    urgent = make(Priority.TEST, alone=True)
    waiting = queue(*(make() for _ in range(5)), urgent)
    assert waiting.choose(0, ROOM) == (urgent,)


def test_pages_leave_in_batches_that_vk_can_answer(make: MakeCall) -> None:
    waiting = queue(*(make(Priority.READ, items=200) for _ in range(7)))
    room = Room(calls=25, items=700)
    assert [len(waiting.choose(0, room)) for _ in range(3)] == [3, 3, 1]


def test_writes_never_travel_with_an_answer_that_may_be_too_big(make: MakeCall) -> None:
    write, light = make(write=True), make(Priority.READ)
    heavy = make(Priority.READ, items=200)
    waiting = queue(heavy, light, write)
    assert waiting.choose(0, ROOM) == (write, light)
    assert waiting.choose(0, ROOM) == (heavy,)


def test_a_batch_ends_where_its_code_would_become_too_long(make: MakeCall) -> None:
    waiting = queue(*(make(text="x" * 60_000) for _ in range(4)))
    assert [len(waiting.choose(0, ROOM)) for _ in range(2)] == [2, 2]


def test_a_call_that_was_given_up_takes_nobody_elses_room(make: MakeCall) -> None:
    gone, kept = make(), make()
    waiting = queue(gone, kept)
    gone.answer.cancel()
    assert waiting.choose(10, ROOM) == (kept,)


def test_what_goes_back_keeps_its_place(make: MakeCall) -> None:
    first, second, third = make(), make(), make()
    waiting = queue(third)
    waiting.add_first((first, second))
    assert waiting.choose(10, ROOM) == (first, second, third)


def test_calls_are_taken_out_by_what_they_are(make: MakeCall) -> None:
    write, single, read = make(write=True), make(alone=True, write=True), make()
    waiting = queue(write, single, read)
    assert waiting.take_if(lambda call: not call.repeatable) == [write, single]
    assert waiting.choose(10, ROOM) == (read,)
