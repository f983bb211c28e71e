"""`sync`: one run now, in the foreground."""

import argparse
import asyncio
import signal
import sys
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import orjson

from evosync.app import Core
from evosync.cli.accounts import find
from evosync.cli.errors import UserError
from evosync.cli.terminal import Bar, said, summary
from evosync.db import choices
from evosync.db.connections import UNREADABLE
from evosync.domain.action import AddAlbum, AddItem, EditItem, HideDouble, KeepLink, Plan, RenameAlbum, Unplace
from evosync.domain.connection import Connection, Health, VkConnection
from evosync.domain.ids import UserId
from evosync.domain.mirror import Mirror, Outcome, Reason, RunRecord, Scope
from evosync.sync.mailbox import Mailbox, Message
from evosync.sync.one_run import FINAL, OneRun

_LEASE_LOOK = 0.5


async def sync(core: Core, options: argparse.Namespace) -> int:
    user = await find(core, options.email)
    mirror = await _refuse(core, user, options)
    if not options.dry_run and mirror.vk is not None:
        await core.database.write(lambda connection: choices.start_mirror(connection, user, at=core.clock()))
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(name, stopping.set)
    with core.watchers.joined(Bar()):
        run = await run_planned(core, user, reason=Reason.COMMAND, dry=options.dry_run, stopping=stopping)
    if run is None and stopping.is_set():
        raise UserError("stopped before the run began: another run of this account is going on")
    if run is None:
        raise UserError(
            "the run could not start: the account was suspended, its mirror paused or its till disconnected just now"
        )
    record, plan = run
    if mirror.vk is None:
        print(
            f"VK is not connected, so only the till was read: evosync connect {options.email} vk --group-id N",
            file=sys.stderr,
        )
    if options.json:
        print(orjson.dumps(figures(record, plan)).decode())
    else:
        if options.dry_run and plan is not None:
            print(described(plan))
        print(summary(record))
    return exit_code(record, dry=options.dry_run)


async def _refuse(core: Core, user: UserId, options: argparse.Namespace) -> Mirror:
    """Say what is missing before anything is begun. `RedisError` too: without Redis there is no lease to be had."""
    await core.redis.ping()
    mirror = await core.ledger.mirror(user)
    if mirror is None:
        raise UserError(f"the account {options.email} is not active")
    if mirror.evotor is None:
        raise UserError(f"no till is connected: evosync connect {options.email} evotor")
    for connection in (mirror.evotor, mirror.vk):
        if connection is not None and _is_beyond_mending(connection):
            name = "VK" if isinstance(connection, VkConnection) else "the till"
            words = said(connection.reason) or "the connection is broken: connect again"
            raise UserError(f"{name}: {words} ({connection.reason})")
    if mirror.paused_at is not None:
        raise UserError("the mirror is paused: resume it on its page first")
    return mirror


def _is_beyond_mending(connection: Connection) -> bool:
    """Whether no run can find it well again; the till is asked whatever it said before."""
    if connection.health is Health.BROKEN:
        return connection.reason == UNREADABLE or (isinstance(connection, VkConnection) and connection.reason in FINAL)
    return connection.health is Health.PARKED


def exit_code(record: RunRecord, *, dry: bool = False) -> int:
    """0 for ok, skipped products included; 1 for refused writes or a run cut short."""
    good = {Outcome.OK, Outcome.READ_ONLY} if dry else {Outcome.OK}
    nothing_chosen = record.outcome is Outcome.READ_ONLY and not record.code
    return 0 if record.outcome in good or nothing_chosen else 1


async def run_once(core: Core, user: UserId, *, reason: str, dry: bool = False) -> RunRecord | None:
    """One full run under the user's lease."""
    run = await run_planned(core, user, reason=reason, dry=dry, stopping=asyncio.Event())
    return None if run is None else run[0]


async def run_planned(
    core: Core, user: UserId, *, reason: str, dry: bool, stopping: asyncio.Event
) -> tuple[RunRecord, Plan | None] | None:
    """The run's record, with its plan where it got that far; None if the user's mirror is not to be run."""
    told = False
    while True:
        async with core.engine.lease.hold(user) as held:
            if held is not None:
                mirror = await core.ledger.mirror(user)
                if mirror is None or mirror.evotor is None:
                    return None
                if not dry and (mirror.paused_at is not None or mirror.evotor.health is Health.PARKED):
                    return None
                message = Message(Scope.FULL, frozenset({reason}))
                one = OneRun(core.engine, mirror, message, stopping, Mailbox(), held, dry=dry)
                record = await one.go()
                if record is not None:
                    return record, None if one.planned is None else one.planned.plan
        if not told:
            told = True
            print("Another run of this account is going on; waiting for it to end.", file=sys.stderr, flush=True)
        if stopping.is_set():
            return None
        await asyncio.sleep(_LEASE_LOOK)


def figures(record: RunRecord, plan: Plan | None) -> Mapping[str, Any]:
    """The run's record as one JSON object; `planned` says what a dry run would have done."""
    seconds = (record.finished_at - record.started_at).total_seconds() if record.finished_at is not None else None
    return {
        "run": record.id,
        "outcome": record.outcome.value if record.outcome is not None else None,
        "code": record.code,
        "seconds": seconds,
        **asdict(record.tally),
        "notes": record.notes,
        "planned": planned(plan) if plan is not None else None,
    }


def planned(plan: Plan) -> dict[str, int]:
    """How many actions of each kind a plan has."""
    kinds = {
        "create": AddItem,
        "change": EditItem,
        "hide_doubles": HideDouble,
        "create_albums": AddAlbum,
        "rename_albums": RenameAlbum,
        "move_out": Unplace,
    }
    counts = {name: sum(isinstance(action, kind) for action in plan.actions) for name, kind in kinds.items()}
    counts["adopt"] = sum(isinstance(action, KeepLink) and action.adopted for action in plan.actions)
    return counts


def described(plan: Plan) -> str:
    """A plan for reading: totals, then each change of a price."""
    counts = planned(plan)
    lines = ["Would do: " + ", ".join(f"{name.replace('_', ' ')} {count}" for name, count in counts.items() if count)]
    if not any(counts.values()):
        lines = ["Would do nothing: VK is as the till is."]
    for action in plan.actions:
        if isinstance(action, AddItem):
            lines.append(f"  + {action.name}  {action.kopecks / 100:.2f}")
        elif isinstance(action, EditItem):
            changes = ", ".join(action.changes) or ("hide" if action.hidden else "show")
            lines.append(f"  ~ {action.before.title}: {changes} ({action.why.value})")
    for note, values in plan.notes.items():
        lines.append(f"  note: {note.value.replace('_', ' ')} ({len(values)})")
    return "\n".join(lines)
