"""`make load`: many owners at once, whether small ones wait for a huge one, and how the cost grows.

Starts a private MariaDB and Redis, the imitated clouds and the service's processes, on loopback alone. Prints what was
measured, writes it as JSON, and draws the plots. The whole takes about forty minutes, `--quick` five.
"""
# ruff: noqa: T201 - a command prints

import argparse
import asyncio
import os
import platform
import sys
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import psutil

from tests.load import report
from tests.load.fairness import fairness
from tests.load.growth import with_changes, with_products
from tests.load.hour import Plan, Stage, hour, laid_out
from tests.load.layout import Past
from tests.load.machine import commit
from tests.load.sweep import swept

ROOT = Path(__file__).resolve().parents[2]
PARTS = ("hour", "sweep", "fairness", "growth")
SHORT = Past(idle_hours=1, busy_days=0)


async def measure(options: argparse.Namespace, found: dict[str, Any]) -> None:
    """Into `found`, part by part: what was measured before the time was up is kept."""
    found |= {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": commit(),
        "python": platform.python_version(),
        "processors": os.cpu_count(),
        "memory_gb": round(psutil.virtual_memory().total / 2**30),
    }
    parts = options.only or PARTS
    if "growth" in parts:
        print(report.growth_head("products"), flush=True)
        found["products"] = await with_products(options.sizes, _say_growth)
        print(report.growth_head("changes"), flush=True)
        found["changes"] = await with_changes(options.each, options.changes, _say_growth)
    if "fairness" in parts:
        found["fairness"] = await _fairness(options)
        print(report.fairness(found["fairness"]), flush=True)
    if "hour" in parts or "sweep" in parts:
        plan = Plan(options.owners, options.each, options.minutes, options.squeeze, pages_per_second=options.pages)
        found["each"] = options.each
        async with laid_out(plan) as stage:
            found["database_mb"] = stage.servers.megabytes()
            print(report.laid_out(plan, stage, found["database_mb"]), flush=True)
            if "hour" in parts:
                found["hours"] = []
                async for measured in _hours(stage, plan, options.steps):
                    found["hours"].append(measured)
                    print(report.hour(measured), flush=True)
                print(report.sizes(found), flush=True)
            if "sweep" in parts:
                print(report.sweep_head(), flush=True)
                found["sweep"] = await swept(stage, plan, _say_sweep)
                print(report.carried(found["sweep"]), flush=True)


async def _hours(stage: Stage, plan: Plan, steps: Sequence[int]) -> AsyncIterator[dict[str, Any]]:
    for owners in (*steps, plan.owners):
        yield await hour(stage, plan, owners, minutes=plan.minutes if owners == plan.owners else plan.minutes / 4)


async def _in_time(options: argparse.Namespace, found: dict[str, Any]) -> bool:
    """Whether all of it was measured before the time was up; the processes end either way."""
    began, bound = time.monotonic(), asyncio.timeout(options.bound * 60)
    try:
        async with bound:
            await measure(options, found)
    except TimeoutError:
        if not bound.expired():
            raise
        print(f"TIME IS UP: not done after {options.bound:g} minutes (--bound). What follows is a part.", flush=True)
    found["minutes"] = round((time.monotonic() - began) / 60, 1)
    found["whole"] = not bound.expired()
    print(f"took {found['minutes']} minutes", flush=True)
    return not bound.expired()


def _say_sweep(row: Mapping[str, Any]) -> None:
    print(report.sweep(row), flush=True)


def _say_growth(row: Mapping[str, Any]) -> None:
    print(report.growth(row), flush=True)


async def _fairness(options: argparse.Namespace) -> dict[str, Any]:
    plan = Plan(owners=options.small, products=options.small_each, minutes=0, squeeze=1, past=SHORT)
    async with laid_out(plan) as stage:
        return await fairness(stage, products=options.huge, turns=options.turns, workers=1)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.load", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a hundred owners, two minutes; small shops")
    parser.add_argument("--only", action="append", choices=PARTS, help="measure this part alone")
    parser.add_argument("--owners", type=int, default=2_000)
    parser.add_argument("--each", type=int, default=500, help="products of each owner")
    parser.add_argument(
        "--steps", type=int, nargs="*", default=[500, 1_000], help="so many owners first, for a quarter"
    )
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--squeeze", type=int, default=6, help="how many times faster than in life owners come due")
    parser.add_argument("--pages", type=float, default=5, help="pages asked for each second")
    parser.add_argument("--small", type=int, default=500, help="small owners of the fairness part")
    parser.add_argument("--small-each", type=int, default=50)
    parser.add_argument("--huge", type=int, default=15_000, help="products of its huge owner")
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--sizes", type=int, nargs="*", default=[100, 500, 1_000, 2_500, 5_000, 10_000])
    parser.add_argument("--changes", type=int, nargs="*", default=[0, 5, 25, 100, 250, 500])
    parser.add_argument("--bound", type=float, help="minutes after which it gives up: 60, 8 with --quick")
    parser.add_argument("--folder", type=Path, default=ROOT / "build", help="where load.json and the plots go")
    return parser


def main(arguments: Sequence[str]) -> int:
    """0 when every figure is reached in time, else 1."""
    options = _parser().parse_args(arguments)
    if options.bound is None:
        options.bound = 8 if options.quick else 60
    if options.quick:
        options.owners, options.steps, options.minutes = min(options.owners, 100), [50], 2
        options.small, options.huge, options.turns = 100, 2_000, 1
        options.sizes, options.changes = [100, 500, 1_000], [0, 5, 50]
    os.chdir(ROOT)
    found: dict[str, Any] = {}
    whole = asyncio.run(_in_time(options, found))
    options.folder.mkdir(parents=True, exist_ok=True)
    (options.folder / "load.json").write_bytes(orjson.dumps(found, option=orjson.OPT_INDENT_2))
    for name, drawn in report.plots(found).items():
        (options.folder / f"load-{name}.svg").write_text(drawn, encoding="utf-8")
    figures = report.figures(found)
    for figure in figures:
        print(figure.described())
    print(f"\n{sum(each.reached for each in figures)} of {len(figures)} figures reached; written to {options.folder}")
    return 0 if whole and all(each.reached for each in figures) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
