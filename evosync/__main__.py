"""The command line's way in, and the only place that reads the environment."""

import os
import signal
import sys
from collections.abc import Sequence
from types import FrameType
from typing import NoReturn

_INTERRUPTED = 130
"""What a shell gives a command that Ctrl+C ended."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; the exit code is 2 for a person's mistake."""
    may_be_interrupted = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if may_be_interrupted:
        signal.signal(signal.SIGINT, _leave)
    from evosync.cli.commands import obey  # noqa: PLC0415 - takes seconds, in which somebody may think better of it

    if may_be_interrupted:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        return obey(list(sys.argv[1:] if argv is None else argv), os.environ)
    except KeyboardInterrupt:
        return _INTERRUPTED


def _leave(_signal: int, _frame: FrameType | None) -> NoReturn:
    """While nothing is begun yet: an exception in the middle of an import would come out as anything."""
    os._exit(_INTERRUPTED)


if __name__ == "__main__":
    sys.exit(main())
