"""The service in a process of its own, told what to do line by line; it measures itself.

`python -m tests.bench.service '{"data_dir": …, "database_url": …, …}'`: the argument holds settings by field, and
`ahead`, by how many seconds the service's clock is ahead. Commands: `owners`, `run`, `all`.
"""

import asyncio
import cProfile
import logging
import os
import re
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
from sqlalchemy import event

from evosync.app import Core, open_core, settle, want, worker
from evosync.cli.sync import run_once
from evosync.db import accounts, choices, connections
from evosync.domain.ids import CommunityId, RunId, UserId
from evosync.domain.mirror import Outcome, Progress, RunRecord, Scope, Tally
from evosync.settings import load_settings

OWN_RECORD = frozenset({"sync_runs", "mirrors", "alembic_version"})
"""Tables that hold the run's own record; and the row that the doctor writes as it is, to see whether one can write."""
_WRITE = re.compile(r"\s*(?:INSERT INTO|UPDATE|DELETE FROM|REPLACE INTO)\s+[`\"]?(\w+)", re.IGNORECASE)


class Rows:
    """Counts rows that are inserted, updated or deleted, by table; an update that changes nothing counts too."""

    def __init__(self, core: Core) -> None:
        self.written: Counter[str] = Counter()
        event.listen(core.database.engine.sync_engine, "after_cursor_execute", self._count)

    def _count(
        self,
        _connection: object,
        cursor: Any,
        statement: str,
        _parameters: object,
        _context: object,
        _many: bool,  # noqa: FBT001 - SQLAlchemy's signature
    ) -> None:
        match = _WRITE.match(statement)
        if match is not None:
            self.written[match[1]] += max(cursor.rowcount, 0)

    def beyond_record(self) -> dict[str, int]:
        return {table: rows for table, rows in self.written.items() if rows and table not in OWN_RECORD}


class _Records:
    """Watches until so many users have been mirrored."""

    def __init__(self, users: int) -> None:
        self.ended_runs: list[RunRecord] = []
        self.over = asyncio.Event()
        self._users = users
        self._done: set[UserId] = set()

    def saw(self, user: UserId, run: RunId, progress: Progress, tally: Tally) -> None:
        pass

    def ended(self, record: RunRecord) -> None:
        if self.over.is_set():
            return
        self.ended_runs.append(record)
        if record.outcome is Outcome.OK:
            self._done.add(record.user)
        if len(self._done) >= self._users:
            self.over.set()


def peak_megabytes() -> float:
    """Of this process since its start (`ru_maxrss` would be that of the process which started it)."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    match = re.search(r"VmHWM:\s+(\d+) kB", status)
    assert match is not None
    return int(match[1]) / 1024


def yardstick() -> float:
    """CPU milliseconds of a fixed piece of work: tells how much others on the machine slow it down."""
    took = []
    for _ in range(5):
        begun = time.process_time()
        sum(number & 7 for number in range(300_000))
        took.append(time.process_time() - begun)
    return sorted(took)[2] * 1_000


class Service:
    """Carries out the commands."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._rows = Rows(core)

    async def owners(self, owners: list[dict[str, Any]]) -> dict[str, Any]:
        """Accounts, both sides connected, everything read and switched on, started."""
        return {"users": [await self._owner(owner) for owner in owners]}

    async def run(self, user: int, profile: str = "") -> dict[str, Any]:
        """One full run in the foreground."""
        with self._measured() as measured, _profiled(profile):
            record = await run_once(self._core, UserId(user), reason="bench")
        assert record is not None
        return {**measured, "outcomes": _outcomes([record]), "tally": _tally(record)}

    async def all(self, count: int, wish: list[int] | None = None, profile: str = "") -> dict[str, Any]:
        """Actors and jobs, until `count` users are mirrored; runs for those in `wish` are wished for first."""
        records = _Records(count)
        for user in wish or ():
            await want(self._core, UserId(user), scope=Scope.FULL, reason="bench")
        with self._core.watchers.joined(records), self._measured() as measured, _profiled(profile):
            async with worker(self._core):
                await records.over.wait()
        scopes = Counter(record.scope.value for record in records.ended_runs)
        return {**measured, "outcomes": _outcomes(records.ended_runs), "scopes": dict(scopes)}

    async def _owner(self, owner: Mapping[str, Any]) -> int:
        core = self._core

        async def make(connection: Any) -> UserId:
            user = await accounts.create_user(
                connection,
                email=f"{owner['account_id']}@example.com",
                role="user",
                status=accounts.UserStatus.ACTIVE,
                at=core.clock(),
            )
            await connections.save_evotor(
                connection, user, owner["evotor_token"], till_user=None, sealer=core.sealer, at=core.clock()
            )
            await connections.save_vk(
                connection,
                user,
                owner["vk_token"],
                community=CommunityId(owner["group_id"]),
                name="",
                vk_user_id=None,
                expires_at=None,
                sealer=core.sealer,
                at=core.clock(),
            )
            return user

        user = await core.database.write(make)
        await run_once(core, user, reason="connected", dry=True)
        await core.database.write(lambda connection: choices.set_choice(connection, user, on=True))
        await core.database.write(lambda connection: choices.start_mirror(connection, user, at=core.clock()))
        return user

    @contextmanager
    def _measured(self) -> Iterator[dict[str, Any]]:
        figures: dict[str, Any] = {}
        self._rows.written.clear()
        wall, processor, kernel = time.monotonic(), time.process_time(), os.times().system
        yield figures
        figures["cpu_seconds"] = time.process_time() - processor
        figures["of_it_in_kernel"] = os.times().system - kernel
        figures["seconds"] = time.monotonic() - wall
        figures["peak_mb"] = peak_megabytes()
        figures["rows_beyond_record"] = self._rows.beyond_record()
        figures["rows"] = dict(self._rows.written)
        figures["yardstick_ms"] = yardstick()


@contextmanager
def _profiled(path: str) -> Iterator[None]:
    if not path:
        yield
        return
    profile = cProfile.Profile()
    profile.enable()
    try:
        yield
    finally:
        profile.disable()
        profile.dump_stats(path)


def _outcomes(records: list[RunRecord]) -> dict[str, int]:
    return dict(
        Counter(
            f"{'none' if record.outcome is None else record.outcome.value} {record.code}".strip() for record in records
        )
    )


def _tally(record: RunRecord) -> dict[str, Any]:
    tally = record.tally
    return {
        "created": tally.created,
        "unchanged": tally.unchanged,
        "skipped": tally.skipped,
        "failed": tally.failed,
        "albums_made": tally.albums_made,
        "vk_requests": tally.vk_requests,
        "evotor_requests": tally.evotor_requests,
    }


async def _serve(spec: dict[str, Any]) -> None:
    ahead = timedelta(seconds=spec.pop("ahead", 0))
    beyond = {name: spec.pop(name) for name in ("vk_requests_per_second",) if name in spec}
    settings = load_settings({"HOME": spec["data_dir"]}, None, **spec)
    settings = settings.model_copy(update=beyond)  # preparing goes faster than any setting allows
    loop = asyncio.get_running_loop()
    async with open_core(settings, clock=lambda: datetime.now(UTC) + ahead) as core:
        service = Service(core)
        settle()  # as `serve` does
        _say({"ready": True})
        while line := await loop.run_in_executor(None, sys.stdin.buffer.readline):
            command: dict[str, Any] = orjson.loads(line)
            _say(await getattr(service, command.pop("do"))(**command))


def _say(answer: Mapping[str, Any]) -> None:
    sys.stdout.buffer.write(orjson.dumps(answer) + b"\n")
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr)
    asyncio.run(_serve(orjson.loads(sys.argv[1])))
