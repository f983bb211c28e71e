"""Letters wait in the database until somebody has taken them over."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from evosync import resources
from evosync.accounts import post
from evosync.accounts.letters import tell, write_letter
from evosync.accounts.links import Links, find_link
from evosync.accounts.post import TRIES, PostOffice, back_off
from evosync.db import accounts, connections, people, single_use
from evosync.db.accounts import UserStatus
from evosync.db.engine import Database, make_engine
from evosync.db.people import Person
from evosync.db.single_use import Purpose
from evosync.db.tables import letters, metadata, roles
from evosync.domain.errors import Side
from evosync.jobs.postman import Postman, walking
from evosync.notify.letters import Letter, Renderer
from evosync.notify.mail import NotSent
from evosync.security.seal import Sealer
from evosync.words.language import load_catalogs
from evosync.words.letters import Kind

NOW = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)


@dataclass(slots=True)
class Carrier:
    """Takes letters and texts, or refuses them for a while."""

    letters: list[Letter] = field(default_factory=list)
    texts: list[tuple[str, str]] = field(default_factory=list)
    refusal: NotSent | None = None
    hold: asyncio.Event | None = None
    asked: asyncio.Event = field(default_factory=asyncio.Event)
    meanwhile: Callable[[], Awaitable[None]] | None = None

    async def send(self, *what: object) -> None:
        self.asked.set()
        if self.hold is not None:
            await self.hold.wait()
        if self.meanwhile is not None:
            await self.meanwhile()
        if self.refusal is not None:
            raise self.refusal
        if isinstance(what[0], Letter):
            self.letters.append(what[0])
        else:
            self.texts.append((str(what[0]), str(what[1])))


@dataclass(slots=True)
class Desk:
    """A post office with its surroundings."""

    database: Database
    office: PostOffice
    carrier: Carrier
    links: Links
    now: datetime = NOW

    async def person(self, email: str | None = "anna@example.com", phone: str | None = None) -> Person:
        async def work(connection: AsyncConnection) -> Any:
            user = await accounts.create_user(
                connection, email=email, phone=phone, role="user", name="Анна", status=UserStatus.ACTIVE, at=NOW
            )
            return await people.person(connection, user)

        made = await self.database.write(work)
        assert isinstance(made, Person)
        return made

    async def write(self, person: Person, kind: Kind, purpose: Purpose | None = None, **values: Any) -> int | None:
        async def work(connection: AsyncConnection) -> Any:
            link = await self.links.add(connection, person.id, purpose, at=NOW) if purpose is not None else None
            await write_letter(connection, person, kind, at=NOW, link=link, **values)
            return link

        number = await self.database.write(work)
        assert number is None or isinstance(number, int)
        return number

    async def states(self) -> list[tuple[str, int, str]]:
        async with self.database.reading() as connection:
            rows = await connection.execute(
                select(letters.c.state, letters.c.tries, letters.c.error).order_by(letters.c.id)
            )
            return [(state, tries, error) for state, tries, error in rows]


@pytest.fixture
async def desk(database_url: str) -> AsyncIterator[Desk]:
    database = Database(make_engine(database_url))
    async with database.engine.begin() as connection:
        await connection.run_sync(metadata.create_all)
        await connection.execute(insert(roles).values(name="user", built_in=True))
    carrier = Carrier()
    links = Links([b"key"], base_url="https://shop.example.ru", invite_hours=48)
    renderer = Renderer(resources.templates(), load_catalogs(), base_url="https://shop.example.ru")
    made: list[Desk] = []
    office = PostOffice(database, links, renderer, carrier, carrier, lambda: made[0].now)
    made.append(Desk(database, office, carrier, links))
    yield made[0]
    await database.close()


async def test_a_letter_goes_out_once(desk: Desk) -> None:
    await desk.write(await desk.person(), Kind.CONFIRM, Purpose.CONFIRM)
    assert await desk.office.send_due() == 1
    assert await desk.office.send_due() == 0
    assert [letter.subject for letter in desk.carrier.letters] == ["Подтвердите почту для EvoSync"]
    assert await desk.states() == [("sent", 1, "")]


async def test_the_link_in_a_letter_opens_what_it_was_made_for(desk: Desk) -> None:
    person = await desk.person()
    await desk.write(person, Kind.RESET, Purpose.RESET)
    await desk.office.send_due()
    secret = desk.carrier.letters[0].text.partition("token=")[2].split()[0]
    found = await desk.database.read(lambda connection: find_link(connection, secret, Purpose.RESET, at=NOW))
    assert found.user == person.id


async def test_a_letter_that_did_not_go_out_is_tried_again_later_and_later(desk: Desk) -> None:
    await desk.write(await desk.person(), Kind.CONFIRM, Purpose.CONFIRM)
    desk.carrier.refusal = NotSent("SMTP 451")
    assert await desk.office.send_due() == 0
    assert await desk.states() == [("waiting", 1, "SMTP 451")]
    desk.carrier.refusal = None
    assert await desk.office.send_due() == 0, "not at once"
    desk.now += timedelta(seconds=31)
    assert await desk.office.send_due() == 1


async def test_each_try_carries_the_same_link_and_the_same_number(desk: Desk) -> None:
    await desk.write(await desk.person(), Kind.CONFIRM, Purpose.CONFIRM)
    await desk.office.send_due()
    await desk.database.write(lambda connection: connection.execute(update(letters).values(state="waiting")))
    desk.now += timedelta(hours=1)
    await desk.office.send_due()
    first, second = desk.carrier.letters
    assert first == second


async def test_in_the_end_a_letter_is_given_up(desk: Desk) -> None:
    await desk.write(await desk.person(), Kind.HAVE_ACCOUNT)
    desk.carrier.refusal = NotSent("SMTP 451")
    for _ in range(TRIES + 2):
        await desk.office.send_due()
        desk.now += timedelta(hours=5)
    assert await desk.states() == [("failed", TRIES, "SMTP 451")]


async def test_a_refusal_for_good_is_not_tried_again(desk: Desk) -> None:
    await desk.write(await desk.person(), Kind.HAVE_ACCOUNT)
    desk.carrier.refusal = NotSent("SMTP 550", for_good=True)
    await desk.office.send_due()
    assert await desk.states() == [("failed", 1, "SMTP 550")]


async def test_two_senders_at_once_send_one_letter(desk: Desk) -> None:
    person = await desk.person()
    for _ in range(5):
        await desk.write(person, Kind.HAVE_ACCOUNT)
    sent = await asyncio.gather(*(desk.office.send_due() for _ in range(4)))
    assert sum(sent) == 5
    assert len({letter.number for letter in desk.carrier.letters}) == 5


async def test_letters_that_take_minutes_each_go_out_once_whoever_looks_meanwhile(desk: Desk) -> None:
    person = await desk.person()
    for _ in range(4):
        await desk.write(person, Kind.HAVE_ACCOUNT)
    others: list[int] = []

    async def pass_time() -> None:
        desk.now += timedelta(minutes=2)
        if len(desk.carrier.letters) == 3:  # the last is in hand, six minutes after the first look
            desk.carrier.meanwhile = None
            others.append(await desk.office.send_due())

    desk.carrier.meanwhile = pass_time
    assert await desk.office.send_due() == 4
    assert others == [0]
    assert len({letter.number for letter in desk.carrier.letters}) == len(desk.carrier.letters) == 4


async def test_where_letters_go_out_slowly_the_next_look_takes_up_the_rest(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(post, "_BATCH_WITHIN", 0.0)
    person = await desk.person()
    for _ in range(3):
        await desk.write(person, Kind.HAVE_ACCOUNT)
    assert [await desk.office.send_due() for _ in range(4)] == [1, 1, 1, 0]


async def test_a_carrier_that_never_answers_is_given_up_and_asked_again_later(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(post, "_CARRIED_WITHIN", 0.05)
    await desk.write(await desk.person(), Kind.HAVE_ACCOUNT)
    desk.carrier.hold = asyncio.Event()
    async with asyncio.timeout(30):
        assert await desk.office.send_due() == 0
    assert await desk.states() == [("waiting", 1, "took too long")]
    desk.carrier.hold = None
    assert await desk.office.send_due() == 0, "not at once"
    desk.now += timedelta(seconds=31)
    assert await desk.office.send_due() == 1


async def test_a_letter_that_is_being_taken_while_the_service_stops_is_noted_and_no_other_begun(desk: Desk) -> None:
    person = await desk.person()
    for _ in range(2):
        await desk.write(person, Kind.HAVE_ACCOUNT)
    desk.carrier.hold = asyncio.Event()
    async with walking(Postman(desk.office.send_due)):
        await desk.carrier.asked.wait()
        asyncio.get_running_loop().call_later(0.2, desk.carrier.hold.set)
    assert await desk.states() == [("sent", 1, ""), ("waiting", 0, "")]


async def test_a_letter_whose_sender_died_is_sent_by_another(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(post, "_ENDED_WITHIN", 0.0)
    await desk.write(await desk.person(), Kind.HAVE_ACCOUNT)
    desk.carrier.hold = asyncio.Event()
    dying = asyncio.create_task(desk.office.send_due())
    while (await desk.states())[0][1] == 0:  # until the letter is claimed
        await asyncio.sleep(0)
    dying.cancel()
    with pytest.raises(asyncio.CancelledError):
        await dying
    desk.carrier.hold = None
    assert await desk.office.send_due() == 0, "it may still be on its way"
    desk.now += timedelta(minutes=5)
    assert await desk.office.send_due() == 1


async def test_a_letter_with_a_used_link_is_not_sent(desk: Desk) -> None:
    number = await desk.write(await desk.person(), Kind.CONFIRM, Purpose.CONFIRM)
    assert number is not None
    await desk.database.write(lambda connection: single_use.use(connection, number, at=NOW))
    assert await desk.office.send_due() == 0
    assert await desk.states() == [("failed", 1, "the link is used or too old")]


async def test_a_letter_written_under_the_former_key_still_goes_out(desk: Desk) -> None:
    await desk.write(await desk.person(), Kind.CONFIRM, Purpose.CONFIRM)
    rotated = Links([b"new key", b"key"], base_url="https://shop.example.ru", invite_hours=48)
    office = PostOffice(desk.database, rotated, desk.office.renderer, desk.carrier, desk.carrier, lambda: NOW)
    assert await office.send_due() == 1
    secret = desk.carrier.letters[0].text.partition("token=")[2].split()[0]
    await desk.database.read(lambda connection: find_link(connection, secret, Purpose.CONFIRM, at=NOW))


async def test_without_that_key_it_is_given_up_and_said(desk: Desk) -> None:
    await desk.write(await desk.person(), Kind.CONFIRM, Purpose.CONFIRM)
    foreign = Links([b"another key"], base_url="https://shop.example.ru", invite_hours=48)
    office = PostOffice(desk.database, foreign, desk.office.renderer, desk.carrier, desk.carrier, lambda: NOW)
    await office.send_due()
    assert await desk.states() == [("failed", 1, "the link's key is no longer known")]


async def test_somebody_without_mail_gets_an_sms_for_his_password_and_nothing_else(desk: Desk) -> None:
    person = await desk.person(email=None, phone="+79123456789")
    await desk.write(person, Kind.INVITE, Purpose.INVITE, who="Пётр")
    await desk.write(person, Kind.VK_BROKEN, code="VK 5", community="Лавка", since_at=NOW, changed=3)
    assert await desk.office.send_due() == 1
    ((phone, text),) = desk.carrier.texts
    assert phone == "+79123456789"
    assert "https://shop.example.ru/invite?token=" in text


async def test_a_notice_that_is_switched_off_is_not_written(desk: Desk) -> None:
    person = await desk.person()
    await desk.database.write(
        lambda connection: people.change_person(connection, person.id, notices={"failing": False})
    )

    async def both(connection: AsyncConnection) -> tuple[bool, bool]:
        failing = await tell(
            connection, person.id, Kind.FAILING, at=NOW, code="VK 10", since_at=NOW, same=1, total=2, behind=1
        )
        broken = await tell(
            connection, person.id, Kind.VK_BROKEN, at=NOW, code="VK 5", community="Л", since_at=NOW, changed=0
        )
        return failing, broken

    assert await desk.database.write(both) == (False, True)


@pytest.mark.parametrize("mended", [False, True])
async def test_a_letter_about_a_broken_connection_waits_and_is_dropped_if_it_works_again(
    desk: Desk, *, mended: bool
) -> None:
    person = await desk.person()

    async def breaks(connection: AsyncConnection) -> None:
        sealer = Sealer(["a key for the tests, which is long enough for it"])
        await connections.save_evotor(connection, person.id, "token", till_user="01-1", sealer=sealer, at=NOW)
        await connections.break_connection(connection, person.id, Side.EVOTOR, reason="Evotor 401", at=NOW)
        await tell(
            connection,
            person.id,
            Kind.EVOTOR_BROKEN,
            at=NOW,
            rest=timedelta(minutes=5),
            code="Evotor 401",
            since_at=NOW,
        )

    await desk.database.write(breaks)
    assert await desk.office.send_due() == 0
    if mended:
        await desk.database.write(
            lambda connection: connections.mend(connection, Side.EVOTOR, reason="Evotor 401", since=NOW)
        )
    desk.now = NOW + timedelta(minutes=5)
    assert await desk.office.send_due() == (0 if mended else 1)
    assert [state for state, _, _ in await desk.states()] == ["failed" if mended else "sent"]


async def test_of_a_connection_that_was_replaced_and_broke_again_the_last_letter_alone_is_sent(desk: Desk) -> None:
    person = await desk.person()
    sealer = Sealer(["a key for the tests, which is long enough for it"])

    async def breaks(connection: AsyncConnection, token: str, code: str, at: datetime) -> None:
        await connections.save_evotor(connection, person.id, token, till_user="01-1", sealer=sealer, at=at)
        await connections.break_connection(connection, person.id, Side.EVOTOR, reason=code, at=at)
        rest = timedelta(minutes=5)
        await tell(connection, person.id, Kind.EVOTOR_BROKEN, at=at, rest=rest, code=code, since_at=at)

    await desk.database.write(lambda connection: breaks(connection, "first", "Evotor 401", NOW))
    again = NOW + timedelta(minutes=3)
    await desk.database.write(lambda connection: breaks(connection, "second", "Evotor 403", again))
    desk.now = NOW + timedelta(minutes=6)
    assert await desk.office.send_due() == 0
    desk.now = again + timedelta(minutes=5)
    assert await desk.office.send_due() == 1
    assert [state for state, _, _ in await desk.states()] == ["failed", "sent"]


async def test_a_letter_of_a_change_that_was_undone_does_not_exist(desk: Desk) -> None:
    person = await desk.person()

    async def work(connection: AsyncConnection) -> None:
        await write_letter(connection, person, Kind.HAVE_ACCOUNT, at=NOW)
        raise RuntimeError("the change failed")

    with pytest.raises(RuntimeError):
        await desk.database.write(work)
    assert await desk.states() == []


def test_the_waits_grow_and_end() -> None:
    waits = [back_off(tries) for tries in range(40)]
    assert waits[0] == timedelta(seconds=30)
    assert waits == sorted(waits)
    assert waits[-1] == timedelta(hours=4)
