"""The hourly sweep on a long history."""

import time
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any

import psutil

from evosync.db import thinning
from evosync.jobs.sweep import Keep, Sweep
from tests.load.hour import Plan, Stage
from tests.load.machine import Watch

Say = Callable[[dict[str, Any]], None]


async def swept(stage: Stage, plan: Plan, say: Say) -> dict[str, Any]:
    """An hour after the sweep before, its idle runs and all the rest; then two days' idle runs at once.

    The last shows how fast rows go: two days of 2,000 owners are what 96,000 leave in an hour.
    """
    keep, steps = Keep(), []
    in_an_hour = stage.layout.at + timedelta(hours=1)
    later = stage.layout.at + keep.idle_runs_for

    def idle(now: datetime) -> Awaitable[int]:
        since = now - keep.results_for + timedelta(hours=2)
        return thinning.idle_runs(stage.database, before=now - keep.idle_runs_for, since=since)

    async def rest() -> int:
        done = await Sweep(stage.database, stage.layout.sealer, _no_letters, keep, lambda: in_an_hour)()
        return sum(done.values())

    for name, hourly, only_idle, work in (
        ("idle runs of an hour", True, True, lambda: idle(in_an_hour)),
        ("all the rest of that sweep", True, False, rest),
        ("idle runs of two days", False, True, lambda: idle(later)),
    ):
        steps.append({"name": name, "hourly": hourly, "idle": only_idle, **await _timed(stage, work)})
        say(steps[-1])
    return {"owners": plan.owners, "steps": steps, "most_rows": thinning.PIECE * thinning.PIECES}


async def _no_letters() -> int:
    return 0


async def _timed(stage: Stage, work: Callable[[], Awaitable[int]]) -> dict[str, Any]:
    watch, own = Watch(stage.other_processes), psutil.Process().cpu_times()
    async with watch.watching():
        began = time.monotonic()
        rows = await work()
        seconds = time.monotonic() - began
    now = psutil.Process().cpu_times()
    cpu = {"MariaDB": watch.uses["MariaDB"].cpu_seconds, "sweep": now.user + now.system - own.user - own.system}
    return {"rows": rows, "seconds": seconds, "cpu": cpu, "share_of_others": watch.others}
