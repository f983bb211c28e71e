"""The history: runs, and what each did to which product."""

from sqlalchemy import BigInteger, Boolean, Column, ForeignKey, Index, String, false

from evosync.db.tables.schema import opaque, owner, table
from evosync.db.types import BigId, Json, UtcTime, Words

# `step`, `done`, `total`, `counts` and `heartbeat_at` move while the run goes. `dry`: it only looked.
sync_runs = table(
    "sync_runs",
    Column("id", BigId, primary_key=True),
    owner(primary_key=False),
    Column("scope", String(8), nullable=False),
    Column("reasons", Json(), nullable=False),
    Column("started_at", UtcTime(), nullable=False, index=True),
    Column("finished_at", UtcTime(), nullable=True),
    Column("outcome", String(16), nullable=True),
    Column("code", Words(100), nullable=False),
    Column("step", String(24), nullable=True),
    Column("done", BigInteger(), nullable=False),
    Column("total", BigInteger(), nullable=False),
    Column("counts", Json(), nullable=False),
    Column("notes", Json(), nullable=False),
    Column("heartbeat_at", UtcTime(), nullable=False),
    Column("dry", Boolean(), nullable=False, server_default=false()),
    Index("ix_sync_runs_user_dry_started", "user_id", "dry", "started_at"),
    Index("ix_sync_runs_user_finished", "user_id", "finished_at"),
)

run_items = table(
    "run_items",
    Column("id", BigId, primary_key=True),
    Column("run_id", BigId, ForeignKey("sync_runs.id", ondelete="CASCADE"), nullable=False, index=True),
    opaque("product_id"),
    Column("result", String(16), nullable=False),
    Column("why", Words(200), nullable=False),
    Column("code", Words(100), nullable=False),
    Column("fields", Json(), nullable=False),
)
