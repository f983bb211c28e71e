"""A worker in a process of its own that waits for seconds where it waits for minutes as it comes."""

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from pathlib import Path

from evosync import app, health
from evosync.__main__ import main
from tests.journeys.process import Process, _begun, _take_over


@contextmanager
def impatient_worker(folder: Path, environ: Mapping[str, str]) -> Iterator[Process]:
    """Of ticks that do not come, and of runs that say nothing any more."""
    with _begun(_impatient, folder, dict(environ), ("worker", "--port", "0")) as process:
        yield process


def _impatient(output: str, environ: Mapping[str, str], arguments: Sequence[str]) -> None:
    _take_over(output, environ)
    # Nobody else uses this process.
    late, stuck = timedelta(seconds=13), timedelta(seconds=8)
    vars(health).update(TICK_LATE=late, STUCK=stuck, _KEPT=0.5, _PATIENCE=1.0)
    vars(app)["Nurse"] = partial(health.Nurse, pause=1.0)
    sys.exit(main(arguments))
