"""What was measured, in words, sums and plots; no input or output."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil
from typing import Any

from tests.bench.figures import Figure
from tests.load.hour import Plan, Stage
from tests.load.plot import plot

POOL_MB = 512
"""MariaDB's room for pages, as it ships."""
SIZES = (1_000, 10_000, 100_000)
_FULL = 0.6
"""How much of a core may be used in the mean, so that there is room for busy minutes."""
_AT_LEAST = 2
_IDLE_RUNS = 12
"""Of an owner in an hour."""
_HELD = ("worker", "web", "MariaDB", "Redis")


def growth_head(name: str) -> str:
    return f"{name:>10}  CPU s  seconds  peak MB  VK requests  Evotor requests  yardstick ms"


def growth(row: Mapping[str, Any]) -> str:
    return (
        f"{row.get('products', row.get('changes')):>10}  {row['cpu_seconds']:5.2f}  {row['seconds']:7.1f}"
        f"  {row['peak_mb']:7.0f}  {row['vk_requests']:11}  {row['evotor_requests']:15}  {row['yardstick_ms']:12.0f}"
    )


def fairness(found: Mapping[str, Any]) -> str:
    ratios = ", ".join(f"{name} {value:.2f}" for name, value in found["ratio"].items())
    return (
        f"{found['small_owners']} small owners next to a first run of {found['huge_products']}: "
        f"their runs end later by {ratios}"
    )


def laid_out(plan: Plan, stage: Stage, megabytes: float) -> str:
    checked = stage.checked
    return (
        f"{plan.owners} owners of {plan.products} products and {plan.past.idle_runs} quiet runs laid out in "
        f"{stage.laying:.0f} s, {megabytes:.0f} MB; a copy's run: "
        f"{checked['tally']['unchanged']} unchanged, rows beyond the record {checked['rows_beyond_record']}, "
        f"{checked['cpu_seconds']:.2f} CPU s"
    )


def hour(found: Mapping[str, Any]) -> str:
    runs, cores, database = found["runs"], found["cores"], found["database"]
    pages = {name: cuts for name, cuts in found["pages"].items() if isinstance(cuts, dict)}
    lines = [
        (f"{found['owners']} owners, {found['seconds']:.0f} s: {runs['ended']} runs of {found['expected_runs']:.0f} "
        f"expected {runs['kinds']}, {runs['under_way']} under way"),
        (f"  begun late by {runs['late_seconds']['p50']:.1f} s (95 %: {runs['late_seconds']['p95']:.1f}), "
        f"took {runs['took_seconds']['p50']:.1f} s (95 %: {runs['took_seconds']['p95']:.1f})"),
        (f"  {found['runs_per_minute']:.0f} runs a minute, {found['runs_per_minute_and_worker_core']:.0f} for each "
        "minute of a worker's core"),
        "  cores: " + ", ".join(f"{kind} {used:.2f}" for kind, used in cores.items()),
        "  CPU s per owner and hour: "
        + ", ".join(f"{kind} {used:.2f}" for kind, used in found["cpu_seconds_per_owner_and_hour"].items()),
        "  MB: " + ", ".join(f"{kind} {held:.0f}" for kind, held in found["memory_mb"].items()),
        "  MariaDB each second: " + ", ".join(f"{name.removesuffix('_per_second')} {value:.0f}"
                                              for name, value in database.items()),
        f"  Redis: {found['redis_commands_per_second']:.0f} commands a second, {found['redis_memory_mb']:.1f} MB",
        f"  pages ({found['pages']['asked']}, not 200: {found['pages']['not_200']}), ms at 50 and 95 %: "
        + ", ".join(f"{name} {cuts['p50']:.0f}/{cuts['p95']:.0f}" for name, cuts in pages.items()),
        (f"  clouds: {found['clouds']['requests_per_second']:.0f} requests a second, "
        f"at most {found['clouds']['most_in_a_second_of_any_token']} of one token in any second, "
        f"error 6: {found['clouds']['error_6']}"),
        f"  others took {found['share_of_others']:.0%} of the machine; yardstick {found['yardstick_ms']:.0f} ms",
    ]  # fmt: skip
    return "\n".join(lines)


def sweep_head() -> str:
    return f"{'the sweep':<36}      rows  seconds  rows a second  MariaDB CPU s  its own CPU s"


def sweep(row: Mapping[str, Any]) -> str:
    return (
        f"{row['name']:<36}  {row['rows']:>8}  {row['seconds']:7.1f}  {row['rows'] / row['seconds']:13.0f}"
        f"  {row['cpu']['MariaDB']:13.1f}  {row['cpu']['sweep']:13.1f}"
    )


def carried(found: Mapping[str, Any]) -> str:
    return (
        f"  an hour's sweep of {found['owners']} owners takes {hourly_sweep(found):.1f} s: "
        f"one carries {owners_carried(found):.0f} owners"
    )


def hourly_sweep(found: Mapping[str, Any]) -> float:
    """Seconds of a whole sweep, an hour after the one before."""
    return float(sum(row["seconds"] for row in found["steps"] if row["hourly"]))


def owners_carried(found: Mapping[str, Any]) -> float:
    """So many that a sweep would just end before the next begins, by the least of three.

    Each part of an hour's sweep grows with the owners; two days' rows may go more slowly; and a sweep stops after so
    many rows.
    """
    whole = found["owners"] * 3600 / hourly_sweep(found)
    rate = min(row["rows"] / row["seconds"] for row in found["steps"] if row["idle"])
    return float(min(whole, rate * 3600 / _IDLE_RUNS, found["most_rows"] / _IDLE_RUNS))


def per_owner(found: Mapping[str, Any]) -> dict[str, float]:
    """One owner's share: CPU seconds an hour of the largest hour, and MB of the tables.

    `... MB`: of a kind's processes, what the largest hour took beyond the smallest, by the owners between them.
    """
    first, last = _fewest_and_most(found)
    cpu = last["cpu_seconds_per_owner_and_hour"]
    return {
        **{kind: cpu[kind] for kind in ("worker", "web", "MariaDB", "Redis")},
        **{f"{kind} MB": _growth(first, last, kind) for kind in _HELD},
        "database_mb": found["database_mb"] / last["owners"],
    }


def _fewest_and_most(found: Mapping[str, Any]) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    hours = sorted(found["hours"], key=lambda each: each["owners"])
    return hours[0], hours[-1]


def _growth(first: Mapping[str, Any], last: Mapping[str, Any], kind: str) -> float:
    """Nought where only one number of owners was measured."""
    more = last["owners"] - first["owners"]
    return float(last["memory_mb"][kind] - first["memory_mb"][kind]) / more if more else 0.0


@dataclass(frozen=True, slots=True)
class Machine:
    """What so many owners need. Memory and disk in GB."""

    owners: int
    worker_cores: float
    workers: int
    web_cores: float
    webs: int
    database_cores: float
    redis_cores: float
    workers_gb: float
    webs_gb: float
    pool_gb: float
    database_gb: float
    redis_gb: float
    disk_gb: float

    @property
    def memory_gb(self) -> float:
        return self.workers_gb + self.webs_gb + self.database_gb + self.redis_gb


def assumed(found: Mapping[str, Any]) -> list[str]:
    """Of `machine`, a line each."""
    _, last = _fewest_and_most(found)
    pages = last["pages"]["asked"] / last["seconds"] * last["hour_seconds"] / last["owners"]
    return [
        f"cores are used to {_FULL:.0%} in the mean; CPU grows with the owners",
        "a process uses one core at most; two of each kind at least, so that one may be restarted",
        f"each owner looks at {pages:.1f} pages an hour, as in the largest hour of the schedule",
        "workers and Redis grow by their MB per owner (not where it is negative); a web's does not grow",
        "MariaDB's pages have room for the same share of the tables as in what was measured, 0.5 GB at least",
        "disk: the tables twice, for a dump and for rebuilding one; 1 GB of MariaDB's own",
    ]


def machine(found: Mapping[str, Any], owners: int) -> Machine:
    """Sums from one owner's share, for what was not measured whole."""
    one, (_, last) = per_owner(found), _fewest_and_most(found)
    cores = {kind: owners * one[kind] / 3600 / _FULL for kind in ("worker", "web", "MariaDB", "Redis")}
    workers, webs = (max(ceil(cores[kind]), _AT_LEAST) for kind in ("worker", "web"))
    processes, held = last["processes"], last["memory_mb"]

    def grown(kind: str, count: int) -> Any:
        """So many processes at rest, and what the owners add to all of them."""
        each = max(one[f"{kind} MB"], 0)
        return count * (held[kind] - each * last["owners"]) / processes[kind] + each * owners

    tables = owners * one["database_mb"]
    pool = max(tables * min(POOL_MB / found["database_mb"], 1), POOL_MB)
    return Machine(
        owners=owners,
        worker_cores=cores["worker"],
        workers=workers,
        web_cores=cores["web"],
        webs=webs,
        database_cores=cores["MariaDB"],
        redis_cores=cores["Redis"],
        workers_gb=grown("worker", workers) / 1024,
        webs_gb=webs * held["web"] / processes["web"] / 1024,
        pool_gb=pool / 1024,
        database_gb=(max(held["MariaDB"] - POOL_MB, 0) + pool) / 1024,
        redis_gb=grown("Redis", 1) / 1024,
        disk_gb=(2 * tables + 1024) / 1024,
    )


def sizes(found: Mapping[str, Any]) -> str:
    """One owner's share, and the machines for more."""
    one, (first, last) = per_owner(found), _fewest_and_most(found)
    lines = [
        f"one owner: {one['database_mb']:.2f} MB of tables; MB from {first['owners']} to {last['owners']} owners: "
        + ", ".join(f"{kind} {one[f'{kind} MB']:.4f}" for kind in _HELD),
        (
            "  owners  worker cores, processes  web cores, processes  MariaDB cores  Redis cores"
            "  GB: workers  webs  MariaDB (its pages)  Redis  all  disk GB"
        ),
    ]
    for owners in SIZES:
        m = machine(found, owners)
        lines.append(
            f"{owners:>8}  {m.worker_cores:12.2f}  {m.workers:9}  {m.web_cores:9.2f}  {m.webs:9}"
            f"  {m.database_cores:13.2f}  {m.redis_cores:11.2f}  {m.workers_gb:11.1f}  {m.webs_gb:4.1f}"
            f"  {m.database_gb:7.1f}  ({m.pool_gb:8.1f})  {m.redis_gb:5.1f}  {m.memory_gb:3.1f}  {m.disk_gb:7.1f}"
        )
    return "\n".join([*lines, *(f"  assumed: {each}" for each in assumed(found))])


def figures(found: Mapping[str, Any]) -> list[Figure]:
    reached = []
    for each in found.get("hours", [])[-1:]:
        who = f"{each['owners']} owners"
        reached += [
            Figure(f"{who}: 95th percentile of page times, ms", each["pages"]["all"]["p95"], 100),
            Figure(f"{who}: share of the runs that were due", each["runs"]["ended"] / each["expected_runs"], 0.98,
                   least=True),
            Figure(f"{who}: error 6 at the receiver", each["clouds"]["error_6"], 0),
        ]  # fmt: skip
    if "sweep" in found:
        carries = owners_carried(found["sweep"])
        reached.append(Figure("owners that one sweep an hour carries", carries, 100_000, least=True))
    if "fairness" in found:
        reached += [
            Figure(f"small owners next to a huge one: {name} end, times later", ratio, 1.2)
            for name, ratio in found["fairness"]["ratio"].items()
        ]
    return reached


def plots(found: Mapping[str, Any]) -> dict[str, str]:
    drawn = {}
    if found.get("products"):
        rows = found["products"]
        drawn["products-cpu"] = plot(
            "CPU of a full run, nothing changed",
            {"run": [(row["products"], row["cpu_seconds"]) for row in rows]},
            across="products", up="CPU seconds",
        )  # fmt: skip
        drawn["products-memory"] = plot(
            "Memory of a process with one such run",
            {"run": [(row["products"], row["peak_mb"]) for row in rows]},
            across="products", up="MB at the peak",
        )  # fmt: skip
    if found.get("changes"):
        rows = found["changes"]
        drawn["changes"] = plot(
            "A run in which prices changed",
            {"seconds": [(row["changes"], row["seconds"]) for row in rows],
             "VK requests": [(row["changes"], row["vk_requests"]) for row in rows]},
            across="changed products", up="seconds, requests",
        )  # fmt: skip
    if len(found.get("hours", ())) > 1:
        rows = found["hours"]
        drawn["owners"] = plot(
            "Cores in use, an hour's schedule in ten minutes",
            {kind: [(row["owners"], row["cores"][kind]) for row in rows] for kind in rows[0]["cores"]},
            across="owners", up="cores",
        )  # fmt: skip
    return drawn
