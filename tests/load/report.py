"""What was measured, in words, sums and plots; no input or output."""

from collections.abc import Mapping
from typing import Any

from tests.bench.figures import Figure
from tests.load.hour import Plan, Stage
from tests.load.plot import plot

SIZES = (1_000, 10_000, 100_000)
_FULL = 0.6
"""How much of a core may be used in the mean, so that there is room for busy minutes."""


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
        f"{plan.owners} owners of {plan.products} products laid out, {megabytes:.0f} MB; a copy's run: "
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


def per_owner(found: Mapping[str, Any]) -> dict[str, float]:
    """Of the largest hour: CPU seconds an hour (pages apart), and MB of the database."""
    last = found["hours"][-1]
    cpu = last["cpu_seconds_per_owner_and_hour"]
    owners = max(each["owners"] for each in found["hours"])
    return {
        "worker": cpu["worker"],
        "MariaDB": cpu["MariaDB"],
        "Redis": cpu["Redis"],
        "database_mb": found["database_mb"] / owners,
    }


def sizes(found: Mapping[str, Any]) -> str:
    """The machine for so many owners: sums from one owner's share, for what was not measured whole."""
    one = per_owner(found)
    lines = [f"cores, at {_FULL:.0%} of each:   owners  worker  MariaDB  Redis  database GB"]
    for owners in SIZES:
        cores = {kind: owners * one[kind] / 3600 / _FULL for kind in ("worker", "MariaDB", "Redis")}
        lines.append(
            f"{'':>23} {owners:>8}  {cores['worker']:6.1f}  {cores['MariaDB']:7.1f}  {cores['Redis']:5.1f}"
            f"  {owners * one['database_mb'] / 1024:11.1f}"
        )
    return "\n".join(lines)


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
