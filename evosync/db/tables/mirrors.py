"""One row per owner: when his mirror is due, and what it remembers from run to run."""

from sqlalchemy import BigInteger, Column, Integer, String

from evosync.db.tables.schema import owner, table
from evosync.db.types import Json, UtcTime

# `run_id`: the run that is going on (or whose worker died); `last_run_id`: the last that ended. No foreign keys:
# runs are thinned out. `run_with`: the connections that the run started with. `behind_since`: start of the first run
# that left undone what it knew of, because VK stopped it or its answer was lost, and none has caught up since.
mirrors = table(
    "mirrors",
    owner(),
    Column("wanted_at", UtcTime(), nullable=True, index=True),
    Column("wanted_scope", String(8), nullable=True),
    Column("wanted_reasons", Json(), nullable=False),
    Column("started_at", UtcTime(), nullable=True),
    Column("next_at", UtcTime(), nullable=True, index=True),
    Column("run_id", BigInteger(), nullable=True, index=True),
    Column("run_with", String(100), nullable=False),
    Column("last_run_id", BigInteger(), nullable=True),
    Column("readings", Json(), nullable=False),
    Column("pauses", Json(), nullable=False),
    Column("shop_read_at", UtcTime(), nullable=True),
    Column("failures", Integer(), nullable=False),
    Column("behind_since", UtcTime(), nullable=True),
)
