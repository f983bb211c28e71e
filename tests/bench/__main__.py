"""`make bench`: the figures of the README, measured again. Prints a table and writes JSON.

The whole of it takes about half an hour, for VK's rate is kept as it is; `--quick` takes a few minutes. On a busy
machine the clocks of both sides stumble: what looks like too many requests in a second may be one that was late.
"""
# ruff: noqa: T201 - a command prints

import argparse
import asyncio
import os
import platform
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson

from tests import services
from tests.bench.children import Child, child
from tests.bench.clouds import Clouds, clouds
from tests.bench.figures import READS, WRITES, Figure, minimum, push

ROOT = Path(__file__).resolve().parents[2]
CATALOG = ROOT.parent / "shared" / "data" / "catalogs" / "perekrestok-grocery.json.gz"
_AN_INTERVAL = 7_300
"""Seconds after which everybody is due for a full run, whatever his place in the hour."""
_UNHURRIED = {"catalog_refresh_interval_seconds": 3_600}


@dataclass(frozen=True, slots=True)
class Options:
    """What to measure. `many`: products of the large case; `paced`: whether its first run keeps to VK's rate."""

    databases: tuple[str, ...]
    few: int
    many: int
    owners: int
    each: int
    plain: int
    paced: bool
    catalog: Path | None
    folder: Path
    profile: str
    only: frozenset[str]


class Bench:
    """The measurements on one database."""

    def __init__(self, options: Options, database: str, mariadb: services.MariaDB | None, redis: str | None) -> None:
        self._options = options
        self.database = database
        self._mariadb = mariadb
        self._redis = redis
        self._cases = 0
        self.figures: list[Figure] = []
        self.raw: dict[str, Any] = {}

    async def first(self, products: int) -> None:
        """A first run at VK's real rate and delays."""
        with self._fresh_database() as settings:
            async with clouds(owners=1, products=products, catalog=self._options.catalog) as sandbox:
                await self._first(sandbox, settings, products)

    async def _first(self, sandbox: Clouds, settings: dict[str, Any], products: int) -> int:
        async with self._service(sandbox, settings, vk_requests_per_second=1_000) as service:
            await sandbox.fast()
            user: int = (await service.ask(do="owners", owners=sandbox.owners))["users"][0]
        await sandbox.slow()
        await sandbox.forget()
        async with self._service(sandbox, settings) as service:
            run = await service.ask(do="run", user=user)
        counters, arrivals = await sandbox.counters(), await sandbox.arrivals()
        shop = await sandbox.shop(sandbox.owners[0]["group_id"])
        made, calls = len(shop["items"]), counters["calls"]
        fewest = minimum(
            products=made,
            albums=len(shop["albums"]),
            links=sum(len(album["item_ids"]) for album in shop["albums"]),
            pages=sum(calls.get(method, 0) for method in READS),
        )
        sent, pushed = counters["requests"]["vk"], push(arrivals)
        self.raw[f"first {products}"] = {
            "run": run, "requests": counters["requests"], "calls": calls, "errors": counters["errors"],
            "minimum": fewest, "push_requests": pushed.requests, "push_seconds": pushed.seconds,
            "share": pushed.share, "most_in_a_second": pushed.most, "items": made,
        }  # fmt: skip
        self._add(
            Figure(f"first run of {products}: requests over the minimum", sent / fewest, 1.10,
                   detail=f"{sent} / {fewest:.1f}; {made} items in {run['seconds']:.0f} s"),
            Figure(f"first run of {products}: share of the allowed rate", pushed.share, 0.95, least=True,
                   detail=f"{pushed.requests} in {pushed.seconds:.1f} s, at most {pushed.most} in any second"),
            Figure(f"first run of {products}: error 6 at the receiver", pushed.throttled, 0),
        )  # fmt: skip
        return user

    async def unchanged(self, products: int) -> None:
        """A run where nothing changed, by a fresh process; before it the shop is filled and read once."""
        with self._fresh_database() as settings:
            async with clouds(owners=1, products=products, catalog=self._options.catalog) as sandbox:
                user = (await self._filled(sandbox, settings))[0]
                await sandbox.slow()
                await sandbox.forget()
                async with self._service(sandbox, settings) as service:
                    run = await service.ask(do="run", user=user, profile=self._profile(f"unchanged-{products}"))
                calls = (await sandbox.counters())["calls"]
        writes = {method: calls[method] for method in WRITES & calls.keys()}
        self.raw[f"unchanged {products}"] = {"run": run, "calls": calls}
        yardstick = f"yardstick {run['yardstick_ms']:.0f} ms"
        what = f"{run['outcomes']}, {run['tally']['unchanged']} unchanged, {run['seconds']:.1f} s, {yardstick}"
        self._add(
            Figure(f"unchanged run of {products}: writes to VK", sum(writes.values()), 0, detail=f"{writes or ''}"),
            Figure(f"unchanged run of {products}: rows beyond the record", sum(run["rows_beyond_record"].values()), 0,
                   detail=f"{run['rows_beyond_record'] or ''} {run['rows']}"),
        )  # fmt: skip
        if products >= self._options.many:
            self._add(
                Figure(f"unchanged run of {products}: CPU seconds", run["cpu_seconds"], 1.0, detail=what),
                Figure(f"unchanged run of {products}: peak resident memory, MB", run["peak_mb"], 250),
            )

    async def owners(self) -> None:
        """Many owners, all due at once, nothing changed; through the jobs and the actors of a worker."""
        owners, each = self._options.owners, self._options.each
        with self._fresh_database() as settings:
            async with clouds(owners=owners, products=each, catalog=self._options.catalog) as sandbox:
                await self._filled(sandbox, settings)
                await sandbox.slow()
                await sandbox.forget()
                async with self._service(sandbox, settings, ahead=_AN_INTERVAL) as service:
                    done = await service.ask(do="all", count=owners, profile=self._profile("owners"))
                calls = (await sandbox.counters())["calls"]
        writes = {method: calls[method] for method in WRITES & calls.keys()}
        name = f"{owners} owners of {each} products, all due"
        self.raw[name] = {"all": done, "calls": calls}
        rows = done["rows_beyond_record"]
        what = f"{done['outcomes']}, {done['scopes']}, {done['seconds']:.1f} s, peak {done['peak_mb']:.0f} MB"
        what += f", yardstick {done['yardstick_ms']:.0f} ms"
        self._add(
            Figure(f"{name}: CPU seconds per owner", done["cpu_seconds"] / owners, 0.08, detail=what),
            Figure(f"{name}: writes to VK and rows", sum(writes.values()) + sum(rows.values()), 0, detail=str(rows)),
        )

    async def _filled(self, sandbox: Clouds, settings: dict[str, Any]) -> list[int]:
        """All owners mirrored, and their shops read again, as fast as it goes."""
        await sandbox.fast()
        beyond = {"vk_requests_per_second": 1_000, "max_runs": 8}
        async with self._service(sandbox, settings, **beyond) as service:
            users: list[int] = (await service.ask(do="owners", owners=sandbox.owners))["users"]
            for turn in ("mirrored", "read again"):
                done = await service.ask(do="all", count=len(users), wish=users)
                print(
                    f"  {self.database}: {len(users)} {turn} in {done['seconds']:.0f} s {done['outcomes']}", flush=True
                )
        return users

    @asynccontextmanager
    async def _service(self, sandbox: Clouds, settings: dict[str, Any], **more: Any) -> AsyncIterator[Child]:
        spec = {**settings, **sandbox.urls, **_UNHURRIED, **more}
        async with child("tests.bench.service", orjson.dumps(spec).decode()) as service:
            yield service

    @contextmanager
    def _fresh_database(self) -> Iterator[dict[str, Any]]:
        with ExitStack() as stack:
            self._cases += 1
            data = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="evosync-bench-")))
            if self._mariadb is None:
                yield {"data_dir": str(data), "database_url": f"sqlite+aiosqlite:///{data / 'bench.sqlite3'}"}
            else:
                url = stack.enter_context(self._mariadb.database()).partition("?")[0]
                redis = f"{(self._redis or '').rpartition('/')[0]}/{self._cases % 16}"
                yield {"data_dir": str(data), "database_url": url, "redis_url": redis}

    def _profile(self, name: str) -> str:
        return f"{self._options.profile}-{self.database}-{name}.prof" if self._options.profile else ""

    def _add(self, *figures: Figure) -> None:
        for figure in figures:
            print(f"{self.database:<8} {figure.described()}", flush=True)
        self.figures += figures


async def plain(options: Options) -> dict[str, Any]:
    """The sequential mirror: a first run, and one in which nothing changed."""
    async with clouds(owners=1, products=options.plain, catalog=options.catalog) as sandbox:
        await sandbox.slow()
        spec = {**sandbox.urls, "owner": sandbox.owners[0]}
        async with child("tests.bench.plain", orjson.dumps(spec).decode()) as mirror:
            found: dict[str, Any] = {}
            for command in ("create", "repeat"):
                await sandbox.forget()
                run = await mirror.ask(do=command)
                pushed = push(await sandbox.arrivals())
                requests = (await sandbox.counters())["requests"]["vk"]
                found[command] = {**run, "requests": requests, "share": pushed.share, "most_in_a_second": pushed.most}
    return found


async def measure(options: Options, servers: ExitStack) -> dict[str, Any]:
    benches = [Bench(options, database, *_servers(database, servers)) for database in options.databases]
    compared = await _paced(options, benches)
    for bench in benches:
        await _quick(options, bench)
    if compared:
        _compare(compared, benches[-1].raw[f"first {options.plain}"], options.plain)
    return {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "python": platform.python_version(),
        "processors": os.cpu_count(),
        "catalog": "real" if options.catalog else "generated",
        "figures": [
            {"database": bench.database, **asdict(each), "reached": each.reached}
            for bench in benches
            for each in bench.figures
        ],
        "plain": compared,
        "raw": {bench.database: bench.raw for bench in benches},
    }


def _servers(database: str, servers: ExitStack) -> tuple[services.MariaDB | None, str | None]:
    """A private MariaDB with a private Redis; SQLite goes with the embedded one."""
    if database != "mariadb":
        return None, None
    folder = Path(servers.enter_context(tempfile.TemporaryDirectory(prefix="evosync-bench-servers-")))
    mariadb = servers.enter_context(services.mariadb(folder))
    (folder / "redis").mkdir()
    redis = services.RedisServer(folder / "redis")
    servers.callback(redis.server.kill)
    return mariadb, redis.url


async def _paced(options: Options, benches: Sequence[Bench]) -> dict[str, Any]:
    """What waits for VK: the short runs one by one, the long ones side by side. Returns what the plain mirror took."""
    compared = "plain" in options.only and bool(options.plain)
    if compared:
        await benches[-1].first(options.plain)
    for bench in benches:
        if "first" in options.only:
            await bench.first(options.few)
    async with asyncio.TaskGroup() as group:
        slow = group.create_task(plain(options)) if compared else None
        for bench in benches:
            if "many" in options.only and options.paced:
                group.create_task(bench.first(options.many))
    return {} if slow is None else slow.result()


async def _quick(options: Options, bench: Bench) -> None:
    """What is measured in processor time goes alone."""
    if "unchanged" in options.only:
        await bench.unchanged(options.few)
    if "many" in options.only:
        await bench.unchanged(options.many)
    if "owners" in options.only:
        await bench.owners()


def _compare(compared: dict[str, Any], ours: dict[str, Any], products: int) -> None:
    create, repeat = compared["create"], compared["repeat"]
    requests, seconds = ours["requests"]["vk"], ours["run"]["seconds"]
    fewer, sooner = create["requests"] / requests, create["seconds"] / seconds
    print(f"\nA plain sequential mirror of {products} products, and this one:")
    for name, sent, took, share in (
        ("plain, first run", create["requests"], create["seconds"], create["share"]),
        ("this one, first run", requests, seconds, ours["share"]),
        ("plain, nothing changed", repeat["requests"], repeat["seconds"], repeat["share"]),
    ):
        print(f"  {name:<24} {sent:>6} requests {took:>6.0f} s   {share:.2f} of the allowed rate")
    print(f"  {fewer:.1f} times fewer requests, {sooner:.1f} times sooner")


def _options(arguments: Sequence[str]) -> tuple[Options, Path]:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="prepare the large cases at once, compare 60 products")
    parser.add_argument("--database", action="append", choices=("mariadb", "sqlite"), help="default: both")
    parser.add_argument("--few", type=int, default=1_000)
    parser.add_argument("--many", type=int, default=10_000)
    parser.add_argument("--owners", type=int, default=200)
    parser.add_argument("--each", type=int, default=500, help="products of each owner")
    parser.add_argument("--plain", type=int, help="products of the plain mirror, 0 for none (default: 500)")
    parser.add_argument("--json", type=Path, default=ROOT / "build" / "bench.json")
    parser.add_argument("--profile", default="", metavar="PREFIX", help="write cProfile files beginning with this")
    parser.add_argument("--only", action="append", choices=PARTS, help="measure this part alone")
    given = parser.parse_args(arguments)
    catalog = CATALOG if CATALOG.is_file() else None
    if catalog is None:
        print("The real catalogs are not beside the repository: a generated one is used instead.")
    plain_of = given.plain if given.plain is not None else (60 if given.quick else 500)
    return Options(
        databases=tuple(given.database or ("mariadb", "sqlite")),
        few=given.few,
        many=given.many,
        owners=given.owners,
        each=given.each,
        plain=plain_of,
        paced=not given.quick,
        catalog=catalog,
        folder=ROOT,
        profile=given.profile,
        only=frozenset(given.only or PARTS),
    ), given.json


PARTS = ("plain", "first", "unchanged", "many", "owners")


def main(arguments: Sequence[str]) -> int:
    """0 when every figure is reached, else 1."""
    options, file = _options(arguments)
    os.chdir(ROOT)
    with ExitStack() as servers:
        report = asyncio.run(measure(options, servers))
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(orjson.dumps(report, option=orjson.OPT_INDENT_2))
    figures = report["figures"]
    print(f"\n{sum(each['reached'] for each in figures)} of {len(figures)} figures reached; written to {file}")
    return 0 if all(each["reached"] for each in figures) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
