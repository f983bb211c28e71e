"""How late a test's own process is: where it receives and counts, it is no exact clock either."""

import asyncio
import time


async def worst_lag() -> float:
    """Until cancelled, how many seconds late this process was at most."""
    worst = 0.0
    try:
        while True:
            before = time.monotonic()
            await asyncio.sleep(0.005)
            worst = max(worst, time.monotonic() - before - 0.005)
    except asyncio.CancelledError:
        return worst
