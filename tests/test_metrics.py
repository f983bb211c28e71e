"""What monitors are told: the metrics, who may read them, and which part is ill."""

import asyncio
import logging
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from arq.connections import ArqRedis
from redis.exceptions import ConnectionError as RedisAway

from evosync import app, health, website
from evosync.app import Parts, open_core
from evosync.cli.doors import taken
from evosync.cli.serve import running
from evosync.db import migrate
from evosync.db.engine import Database, make_engine
from evosync.domain.connection import Token, VkConnection
from evosync.domain.errors import Unavailable
from evosync.domain.ids import CommunityId, RunId, StoreId, UserId
from evosync.domain.mirror import Outcome, Progress, RunRecord, Scope, Step, Tally
from evosync.evotor.client import EvotorTill, Patience
from evosync.health import QUEUE_LONG, STUCK, WORKER_LATE, Doctor, Going, Lookout, Nurse, Pulse, Signs, SteadyClock
from evosync.logs import Redactor, bound
from evosync.metrics import Gauges, Metrics
from evosync.queue import HEALTH_KEY, Queue, close_redis, open_redis
from evosync.reports import cleaned, start_reports
from evosync.settings import Settings, SettingsError, load_settings
from evosync.sync.mailbox import Mailbox, Message
from evosync.sync.supervisor import Supervisor
from evosync.vk.counted import CountedPacer
from evosync.vk.dispatcher import Pressure
from evosync.vk.pacer import MemoryPacer
from evosync.vk.sides import VkAddress, VkSides
from tests.doors import free_doors

TOKEN = "a token of the tests, long enough"
NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
ANNA, BORIS = UserId(1), UserId(2)


def settings(home: Path, **values: str) -> Settings:
    return load_settings({"EVOSYNC_DATA_DIR": str(home), "EVOSYNC_PORT": "0", **values})


async def get(address: str, path: str, token: str = "") -> tuple[int, str]:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    async with aiohttp.ClientSession() as http, http.get(f"{address}{path}", headers=headers) as response:
        return response.status, await response.text()


@pytest.mark.parametrize("parts", [Parts.ALL, Parts.WORKER])
async def test_metrics_are_for_who_shows_the_token(tmp_path: Path, redis_url: str, parts: Parts) -> None:
    chosen = settings(tmp_path, METRICS_TOKEN=TOKEN, REDIS_URL=redis_url)
    async with open_core(chosen) as core, running(core, parts, free_doors()) as address:
        assert (await get(address, "/metrics"))[0] == 401
        assert (await get(address, "/metrics", TOKEN[:-1]))[0] == 401
        await get(address, "/health")
        status, text = await get(address, "/metrics", TOKEN)
        assert status == 200
        assert 'evosync_http_requests_total{method="GET",route="/health",status="200"} 1.0' in text
        assert 'evosync_up{part="database"} 1.0' in text
        assert 'evosync_up{part="redis"} 1.0' in text
        assert "\nprocess_start_time_seconds " in text
        assert "\nevosync_runs_stuck_total 0.0" in text


@pytest.mark.parametrize("parts", [Parts.ALL, Parts.WEB, Parts.WORKER])
@pytest.mark.parametrize("token", ["", TOKEN])
async def test_a_port_of_their_own_shows_the_metrics_to_whoever_reaches_it_and_the_site_s_port_does_not(
    tmp_path: Path, redis_url: str, parts: Parts, token: str
) -> None:
    chosen = settings(tmp_path, REDIS_URL=redis_url, METRICS_PORT="0", **{"METRICS_TOKEN": token} if token else {})
    with taken("127.0.0.1", 0, metrics_port=chosen.metrics_port) as doors:
        assert doors.metrics is not None
        apart = f"http://127.0.0.1:{doors.metrics[0].getsockname()[1]}"
        async with open_core(chosen) as core, running(core, parts, doors) as address:
            status, text = await get(apart, "/metrics")
            assert (status, 'evosync_up{part="database"} 1.0' in text) == (200, True)
            assert (await get(address, "/metrics"))[0] == (401 if token else 404)
            assert [(await get(apart, path))[0] for path in ("/", "/health", "/login")] == [404, 404, 404]


async def test_without_port_and_token_there_are_no_metrics(tmp_path: Path, redis_url: str) -> None:
    chosen = settings(tmp_path, REDIS_URL=redis_url)
    async with open_core(chosen) as core, running(core, Parts.WEB, free_doors()) as address:
        assert (await get(address, "/metrics", TOKEN))[0] == 404


async def test_a_worker_and_its_cron_make_the_service_ready_and_their_absence_is_told(
    tmp_path: Path, redis_url: str
) -> None:
    chosen = settings(tmp_path, REDIS_URL=redis_url)
    async with open_core(chosen) as core, running(core, Parts.WEB, free_doors()) as address:
        status, text = await get(address, "/health/ready")
        assert status == 503
        assert text == (
            '{"status": "ill", "parts": {"database": "ok", "migrations": "ok", "redis": "ok", '
            '"worker": "ill", "cron": "ill", "queue": "ok"}}'
        )


async def test_the_metrics_say_of_each_part_what_readiness_says(tmp_path: Path, redis_url: str) -> None:
    chosen = settings(tmp_path, METRICS_TOKEN=TOKEN, REDIS_URL=redis_url)
    async with open_core(chosen) as core, running(core, Parts.WEB, free_doors()) as address:
        report = await core.doctor.report()
        _, text = await get(address, "/metrics", TOKEN)
        assert report.ill == ("worker", "cron")
        assert parts_up(text) == {name: float(is_well) for name, is_well in report.parts.items()}


def parts_up(text: str) -> dict[str, float]:
    return {name: float(up) for name, up in re.findall(r'^evosync_up\{part="(\w+)"\} (\S+)$', text, re.MULTILINE)}


@pytest.mark.parametrize("ill", ["database", "redis", "cron"])
async def test_a_part_that_is_ill_is_so_although_the_figures_own_questions_are_answered(
    redis: ArqRedis, database: Database, sqlite_url: str, ill: str
) -> None:
    await migrate.upgrade(sqlite_url)

    async def parts() -> dict[str, bool]:
        return {name: name != ill for name in ("database", "redis", "cron", "queue")}

    gauges = Gauges(Metrics(), database, Queue(redis), clock=lambda: NOW, phases=dict, parts=parts)
    found = parts_up((await gauges.text()).decode())
    assert {name for name, up in found.items() if not up} == {ill}
    assert len(found) == 4


async def test_a_part_that_is_well_and_does_not_answer_the_figures_own_questions_is_ill(database: Database) -> None:
    async def parts() -> dict[str, bool]:
        return dict.fromkeys(("database", "redis", "worker"), True)

    away = open_redis("redis://127.0.0.1:1/0")
    gauges = Gauges(Metrics(), database, Queue(away), clock=lambda: NOW, phases=dict, parts=parts)  # and no tables
    assert parts_up((await gauges.text()).decode()) == {"database": 0, "redis": 0, "worker": 1}
    await close_redis(away)


async def test_figures_come_in_time_where_nothing_answers(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """Prometheus waits for ten seconds: what is away is waited for once and not part by part."""
    asked: set[str] = set()
    everybody = asyncio.Event()

    async def asks(name: str) -> None:
        asked.add(name)
        if len(asked) == 3:
            everybody.set()
        await everybody.wait()

    async def parts() -> dict[str, bool]:
        await asks("parts")
        return {}

    gauges = Gauges(
        Metrics(), database, Queue(open_redis("redis://127.0.0.1:1/0")), clock=lambda: NOW, phases=dict, parts=parts
    )
    monkeypatch.setattr(gauges, "_ask_queue", partial(asks, "queue"))
    monkeypatch.setattr(gauges, "_ask_database", partial(asks, "database"))
    async with asyncio.timeout(30):
        await gauges.text()


@pytest.fixture
async def database(sqlite_url: str) -> AsyncIterator[Database]:
    database = Database(make_engine(sqlite_url))
    yield database
    await database.close()


async def test_every_part_is_looked_at(redis: ArqRedis, database: Database, sqlite_url: str) -> None:
    doctor = Doctor(database, redis, Queue(redis), lambda: NOW)
    assert (await doctor.look()).ill == ("database", "migrations", "worker", "cron")
    await migrate.upgrade(sqlite_url)
    await redis.set(HEALTH_KEY, b"alive")
    await Pulse(redis).beat(NOW - timedelta(seconds=30))
    assert (await doctor.look()).is_well
    await Pulse(redis).beat(NOW - timedelta(seconds=60))
    await redis.zadd("arq:queue", {"nudge:1": (NOW - timedelta(minutes=5)).timestamp() * 1000})
    assert (await doctor.look()).ill == ("cron", "queue")


async def test_those_who_ask_while_a_part_hangs_share_one_look(
    redis: ArqRedis, database: Database, sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await migrate.upgrade(sqlite_url)
    looks: list[int] = []

    class Hanging(Queue):
        async def health(self) -> str | None:
            looks.append(1)
            await asyncio.Event().wait()
            return None

    monkeypatch.setattr(health, "_PATIENCE", 1.0)
    monkeypatch.setattr(health, "_KEPT", 0.9)
    doctor = Doctor(database, redis, Hanging(redis), lambda: NOW)
    reports = await asyncio.gather(*(doctor.report() for _ in range(3)))
    assert [report.parts["worker"] for report in reports] == [False] * 3
    assert len(looks) == 1


async def test_a_worker_whose_record_is_late_is_dead_only_after_a_while(
    redis: ArqRedis, database: Database, sqlite_url: str
) -> None:
    await migrate.upgrade(sqlite_url)
    now = [NOW]
    doctor = Doctor(database, redis, Queue(redis), lambda: now[0])
    await redis.set(HEALTH_KEY, b"alive")
    assert "worker" not in (await doctor.look()).ill
    await redis.delete(HEALTH_KEY)
    now[0] += timedelta(seconds=16)
    assert "worker" not in (await doctor.look()).ill
    now[0] += timedelta(seconds=15)
    assert "worker" in (await doctor.look()).ill


async def test_a_redis_that_is_away_makes_what_needs_it_ill_and_nothing_else(
    database: Database, sqlite_url: str
) -> None:
    await migrate.upgrade(sqlite_url)
    away = open_redis("redis://127.0.0.1:1/0")
    report = await Doctor(database, away, Queue(away), lambda: NOW).look()
    await close_redis(away)
    assert report.ill == ("redis", "worker", "cron", "queue")
    with pytest.raises(RedisAway):
        await away.ping()
    await close_redis(away)


async def test_an_illness_is_logged_once_and_so_is_its_end(
    redis: ArqRedis, database: Database, sqlite_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    await migrate.upgrade(sqlite_url)
    await redis.set(HEALTH_KEY, b"alive")
    doctor = Doctor(database, redis, Queue(redis), lambda: NOW)

    doctor.report = doctor.look  # type: ignore[method-assign]  # looks each time
    nurse = Nurse(doctor, Signs(lambda: NOW), going=tuple, interrupt=lambda _: True)
    for _ in range(3):
        await nurse.look_round()
    await Pulse(redis).beat(NOW)
    for _ in range(2):
        await nurse.look_round()
    said = [(record.levelname, record.__dict__["part"]) for record in caplog.records if "part of" in record.message]
    assert said == [("ERROR", "cron"), ("WARNING", "cron")]


async def test_a_process_of_pages_tells_once_that_no_worker_is_left_and_once_that_one_is_back(
    redis: ArqRedis, database: Database, sqlite_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    await migrate.upgrade(sqlite_url)
    now = [NOW]
    doctor = Doctor(database, redis, Queue(redis), lambda: now[0])
    doctor.report = doctor.look  # type: ignore[method-assign]  # looks each time
    lookout = Lookout(doctor)

    async def looks(times: int) -> list[tuple[str, str]]:
        caplog.clear()
        for _ in range(times):
            await lookout.look_round()
        return [(record.levelname, record.__dict__["part"]) for record in caplog.records if "part of" in record.message]

    assert await looks(1) == [], "the first worker may be about to come"
    assert await looks(3) == [("ERROR", "worker")]
    await redis.set(HEALTH_KEY, b"alive")
    assert await looks(2) == [("WARNING", "worker")]
    await redis.delete(HEALTH_KEY)
    now[0] += WORKER_LATE
    assert await looks(3) == [("ERROR", "worker")]
    assert not any("begun anew" in record.message for record in caplog.records)


async def test_without_redis_a_process_of_pages_does_not_say_that_workers_are_dead(
    database: Database, sqlite_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    await migrate.upgrade(sqlite_url)
    away = open_redis("redis://127.0.0.1:1/0")
    doctor = Doctor(database, away, Queue(away), lambda: NOW)
    lookout = Lookout(doctor)
    for _ in range(3):
        await lookout.look_round()
    await close_redis(away)
    assert not [record for record in caplog.records if record.levelname in {"WARNING", "ERROR"}]


@pytest.mark.parametrize(("parts", "says"), [(Parts.WEB, True), (Parts.ALL, False)])
async def test_pages_look_out_for_workers_where_they_have_none_of_their_own(
    tmp_path: Path,
    redis_url: str,
    monkeypatch: pytest.MonkeyPatch,
    parts: Parts,
    says: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    made: list[Lookout] = []
    heard = asyncio.Event()

    class Listener(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if record.levelname == "ERROR" and record.__dict__.get("part") == "worker":
                heard.set()

    def hasty(doctor: Doctor) -> Lookout:
        made.append(Lookout(doctor, pause=0.01))
        return made[-1]

    monkeypatch.setattr(website, "Lookout", hasty)
    listener = Listener()
    logging.getLogger("evosync.health").addHandler(listener)
    chosen = settings(tmp_path, REDIS_URL=redis_url)
    try:
        async with open_core(chosen) as core, running(core, parts, free_doors()), asyncio.timeout(20):
            if says:
                await heard.wait()
    finally:
        logging.getLogger("evosync.health").removeHandler(listener)
    assert len(made) == says


async def test_jobs_that_stand_still_are_begun_anew_but_not_for_redis_being_away(
    redis: ArqRedis, database: Database, sqlite_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    await migrate.upgrade(sqlite_url)
    await redis.set(HEALTH_KEY, b"alive")
    away = open_redis("redis://127.0.0.1:1/0")
    begun: list[str] = []
    for name, asked in (("here", redis), ("away", away)):
        doctor = Doctor(database, asked, Queue(asked), lambda: NOW)
        doctor.report = doctor.look  # type: ignore[method-assign]  # looks each time
        renew = partial(begun.append, name)
        nurse = Nurse(doctor, Signs(lambda: NOW), going=tuple, interrupt=lambda _: True, renew=renew)
        for _ in range(7):
            await nurse.look_round()
    assert begun == ["here", "here"], "at the second look, and a minute later"
    assert [each.levelname for each in caplog.records if "begun anew" in each.message] == ["ERROR", "ERROR"]
    await close_redis(away)


async def test_a_tick_from_ahead_of_the_clock_is_none(redis: ArqRedis, database: Database, sqlite_url: str) -> None:
    await migrate.upgrade(sqlite_url)
    await Pulse(redis).beat(NOW + timedelta(hours=1))
    assert not (await Doctor(database, redis, Queue(redis), lambda: NOW).look()).parts["cron"]


@pytest.mark.parametrize(
    ("passed", "shown", "jobs"),
    [
        (15.0, timedelta(seconds=15), []),
        (15.0, timedelta(seconds=-14), []),
        (15.0, timedelta(seconds=-16), ["anew"]),
        (15.0, timedelta(hours=-1), ["anew"]),
        (15.0, timedelta(hours=1), []),
    ],
)
async def test_where_the_clock_was_set_back_jobs_are_begun_anew_at_once(
    redis: ArqRedis, database: Database, sqlite_url: str, passed: float, shown: timedelta, jobs: list[str]
) -> None:
    await migrate.upgrade(sqlite_url)
    await redis.set(HEALTH_KEY, b"alive")
    await Pulse(redis).beat(NOW)
    at, steady, begun = [NOW], [100.0], list[str]()
    clock = SteadyClock(lambda: at[0], lambda: steady[0])
    nurse = Nurse(
        Doctor(database, redis, Queue(redis), lambda: NOW),
        Signs(lambda: NOW),
        going=tuple,
        interrupt=lambda _: True,
        renew=partial(begun.append, "anew"),
        was_set_back=clock.was_set_back,
    )
    at[0], steady[0] = NOW + shown, steady[0] + passed
    await nurse.look_round()
    await nurse.look_round()
    assert begun == jobs, "once alone"


async def test_a_queue_that_grows_is_told_and_so_is_its_end(
    redis: ArqRedis, database: Database, sqlite_url: str
) -> None:
    await migrate.upgrade(sqlite_url)
    await redis.set(HEALTH_KEY, b"alive")
    await Pulse(redis).beat(NOW)
    doctor = Doctor(database, redis, Queue(redis), lambda: NOW)
    due = NOW.timestamp() * 1000
    await redis.zadd("arq:queue", {f"nudge:{n}": due for n in range(QUEUE_LONG - 1)})
    assert (await doctor.look()).is_well
    await redis.zadd("arq:queue", {"nudge:one-more": due})
    assert (await doctor.look()).ill == ("queue",)
    await redis.delete("arq:queue")
    assert (await doctor.look()).is_well


async def test_a_run_that_says_nothing_for_too_long_is_interrupted(redis: ArqRedis, database: Database) -> None:
    now = NOW
    signs = Signs(lambda: now)
    going = (Going(ANNA, NOW), Going(BORIS, NOW))
    ended: list[UserId] = []

    def interrupt(user: UserId) -> bool:
        ended.append(user)
        return True

    doctor = Doctor(database, redis, Queue(redis), lambda: now)
    metrics = Metrics()
    nurse = Nurse(doctor, signs, going=lambda: going, interrupt=interrupt, stuck=metrics.stuck.inc)
    now = NOW + STUCK
    signs.saw(BORIS, RunId(2), Progress(Step.MIRROR), Tally())
    await nurse.look_round()
    assert ended == []
    assert metrics.registry.get_sample_value("evosync_runs_stuck_total") == 0
    now = NOW + STUCK + timedelta(seconds=1)
    await nurse.look_round()
    assert ended == [ANNA]
    assert metrics.registry.get_sample_value("evosync_runs_stuck_total") == 1


async def test_a_worker_s_nurse_counts_its_runs_that_hang(
    tmp_path: Path, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[Nurse] = []

    def keeping(*words: Any, **named: Any) -> Nurse:
        made.append(Nurse(*words, **named))
        return made[-1]

    monkeypatch.setattr(app, "Nurse", keeping)
    async with open_core(settings(tmp_path, REDIS_URL=redis_url)) as core, app.worker(core):
        (nurse,) = made
        monkeypatch.setattr(nurse._signs, "silent", lambda _going: (ANNA,))
        await nurse.look_round()
        assert core.metrics.registry.get_sample_value("evosync_runs_stuck_total") == 1


def test_a_run_is_counted_with_its_steps_and_products() -> None:
    metrics = Metrics()
    run = RunId(1)
    for step in (Step.CATALOG, Step.SHOP, Step.MIRROR):
        metrics.saw(ANNA, run, Progress(step), Tally())
    metrics.ended(
        RunRecord(
            run, ANNA, (), Scope.FULL, NOW, NOW + timedelta(seconds=3), Outcome.OK,
            tally=Tally(created=2),
        )
    )  # fmt: skip
    text = metrics.text().decode()
    for line in (
        'evosync_runs_total{outcome="ok",scope="full"} 1.0',
        'evosync_run_seconds_sum{scope="full"} 3.0',
        'evosync_run_phase_seconds_count{phase="refresh_catalog"} 1.0',
        'evosync_run_phase_seconds_count{phase="mirror"} 1.0',
        'evosync_products_total{result="created"} 2.0',
    ):
        assert line in text


def test_runs_and_products_stand_at_nought_before_the_first_so_that_the_first_is_a_rise() -> None:
    figures = Metrics().registry.get_sample_value
    for scope in Scope:
        for outcome in Outcome:
            assert figures("evosync_runs_total", {"scope": scope.value, "outcome": outcome.value}) == 0
    assert figures("evosync_products_total", {"result": "failed"}) == 0


async def test_a_page_that_nobody_has_is_counted_under_one_name(tmp_path: Path, redis_url: str) -> None:
    chosen = settings(tmp_path, METRICS_TOKEN=TOKEN, REDIS_URL=redis_url)
    async with open_core(chosen) as core, running(core, Parts.WEB, free_doors()) as address:
        for path in ("/nowhere", "/wp-login.php"):
            await get(address, path)
        _, text = await get(address, "/metrics", TOKEN)
    assert 'evosync_http_requests_total{method="(any)",route="(none)",status="404"} 2.0' in text


async def test_a_nudge_carries_the_id_of_the_page_that_caused_it(redis: ArqRedis) -> None:
    with bound(request_id="0011"):
        await Queue(redis).nudge(ANNA)
    raw = await redis.get(f"arq:job:nudge:{ANNA}")
    assert b'"0011"' in raw


def test_without_a_dsn_nothing_is_reported(tmp_path: Path) -> None:
    assert start_reports(settings(tmp_path)) is False


def test_a_dsn_that_is_none_is_a_mistake_in_the_settings(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="SENTRY_DSN"):
        start_reports(settings(tmp_path, SENTRY_DSN="not an address"))


def test_a_report_holds_no_secret_no_request_and_no_person() -> None:
    event = {
        "message": "VK refused Bearer abcdefgh",
        "user": {"email": "olga@example.org"},
        "request": {"cookies": "s=1"},
        "extra": {"token": "abc"},
    }
    shown = str(cleaned(event, Redactor(["hidden text"])))
    for secret in ("abcdefgh", "olga", "cookies", "abc"):
        assert secret not in shown


async def test_a_supervisor_ends_a_run_that_hangs_and_takes_the_owner_again() -> None:
    begun: asyncio.Queue[int] = asyncio.Queue()

    async def run(user: UserId, message: Message, stopping: asyncio.Event, mailbox: Mailbox) -> None:
        begun.put_nowait(1)
        await asyncio.Event().wait()

    async def crashed(user: UserId, error: Exception) -> None:
        raise AssertionError(user) from error

    supervisor = Supervisor(run, crashed=crashed)
    message = Message(Scope.FULL, frozenset({"button"}))
    assert supervisor.interrupt(ANNA) is False
    for _ in range(2):
        supervisor.tell(ANNA, message)
        await begun.get()
        assert supervisor.interrupt(ANNA) is True
        while supervisor.states():
            await asyncio.sleep(0)


async def test_every_call_to_a_cloud_is_counted_with_how_it_ended() -> None:
    metrics = Metrics()
    async with aiohttp.ClientSession() as http:
        till = EvotorTill(
            http, "http://127.0.0.1:1", Token("secret", "f"), patience=Patience(tries=1),
            seen=partial(metrics.called, "evotor"),
        )  # fmt: skip
        with pytest.raises(Unavailable):
            await till.products(StoreId("1"))
    text = metrics.text().decode()
    assert 'evosync_cloud_calls_total{cloud="evotor",code="Evotor connection",method="products"} 1.0' in text
    assert "secret" not in text


async def test_calls_at_vk_are_counted_each_for_itself() -> None:
    seen: list[tuple[str, str]] = []
    async with aiohttp.ClientSession() as http:
        sides = VkSides(
            http, VkAddress("http://127.0.0.1:1", timeout=2), MemoryPacer(100), Pressure(back_off=0.01),
            seen=lambda method, code, _: seen.append((method, code)),
        )  # fmt: skip
        connection = VkConnection(Token("secret", "f"), CommunityId(1))
        async with sides.shop(connection) as shop:
            with pytest.raises(Unavailable):
                await shop.community()
    assert seen
    assert {code for _, code in seen} == {"VK unreachable"}


async def test_the_busiest_token_is_told_from_its_first_request_on_until_it_rests() -> None:
    now = [100.0]
    pacer = CountedPacer(MemoryPacer(1_000), lambda: now[0])
    assert pacer.per_second() == 0
    for token in ("busy", "busy", "busy", "idle"):
        await pacer.slot(token)
    assert pacer.per_second() == pytest.approx(0.3), "at once"
    now[0] += 10
    await pacer.slot("idle")
    assert pacer.per_second() == pytest.approx(0.3), "the span before was busier"
    now[0] += 10
    assert pacer.per_second() == pytest.approx(0.1)
    now[0] += 25
    assert pacer.per_second() == 0
    await pacer.slot("busy")
    now[0] += 25
    assert pacer.per_second() == 0, "what nobody asked for in time is old"


async def test_the_metrics_tell_how_fast_the_busiest_token_goes_and_not_whose_it_is(tmp_path: Path) -> None:
    chosen = settings(tmp_path, EVOSYNC_VK_API_URL="http://127.0.0.1:1", EVOSYNC_VK_REQUESTS_PER_SECOND="20")
    async with open_core(chosen) as core:
        connection = VkConnection(Token("secret", "f1n2g3r"), CommunityId(1))
        async with core.clients.vk.shop(connection) as shop:
            await asyncio.gather(*(shop.community() for _ in range(3)), return_exceptions=True)
        assert (core.metrics.registry.get_sample_value("evosync_vk_rate_busiest") or 0) > 0
        assert "f1n2g3r" not in core.metrics.text().decode()
