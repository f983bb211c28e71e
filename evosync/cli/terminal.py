"""What a person at a terminal sees of a run."""

import sys
import time
from collections.abc import Callable, Mapping
from typing import TextIO

from evosync.domain.ids import RunId, UserId
from evosync.domain.mirror import Outcome, Progress, RunRecord, Step, Tally
from evosync.words.errors import card_of

_STEPS = {
    Step.CATALOG: "1/3 reading the till",
    Step.SHOP: "2/3 reading the VK shop",
    Step.MIRROR: "3/3 writing to VK",
}
_WIDTH = 30

_SKIPPED = {
    "off_store": "store is switched off",
    "off_group": "group is switched off",
    "new_group": "new group, not decided yet",
    "off_never_sold": "not for sale at the till",
    "zero_price": "no price at the till",
    "short_name": "name shorter than VK takes",
    "same_title": "several listings or products of that name",
    "risky_kind": "a kind of goods that VK may refuse",
    "removed_in_vk": "deleted in VK by hand",
    "rejected": "rejected by VK's moderators",
    "refused_field": "a field was refused by VK",
    "bad_photo": "the photo was refused",
    "shop_full": "the VK shop is full",
    "store_unpaid": "store not paid for in Evotor",
    "wait_check": "being checked: the outcome of a write is not known",
    "wait_vk": "VK asks to wait",
    "hidden_gone": "gone from the till, hidden",
    "left_gone": "gone from the till, left as it is",
    "hidden_off": "switched off, hidden",
    "failed": "refused by VK",
}

_CODES = {
    "VK 5": "VK does not accept the token any more: connect VK again",
    "VK 7": "the token has no right to this shop",
    "VK 27": "this is a community's key: VK takes only the token of a person here",
    "VK 205": "VK gives the token no access to this shop: look at the community's number, and who its editors are",
    "VK 3609": "the token's time is over: connect VK again",
    "VK 1438": "the shop of the community is switched off",
    "VK 14": "VK wants a person to pass a test",
    "VK 15": "the token has no right to this shop",
    "Evotor 401": "Evotor does not accept the token any more: connect the till again",
    "Evotor 403": "the application is not installed in this Evotor account",
    "prices": "VK read a price 100 times too high or too low: everything was stopped",
    "currency": "the community does not count in roubles: set its currency first",
    "shop_off": "the shop of the community is switched off",
    "no_rights": "the token's person is no editor of the community",
    "deactivated": "the community is blocked or deleted",
    "no_community": "VK knows no such community: take the number from the address of its page, as in vk.com/club123",
    "no_user": "this is a community's key: VK takes only the token of a person here",
    "scopes": "get the token again with the rights market, photos and groups",
    "unreadable": (
        "SECRET_KEY is not the one that the token was stored under: put the earlier one into SECRET_KEY_PREVIOUS, "
        "or connect again"
    ),
    "uninstalled": "the application was removed in Evotor: install it there again",
    "subscription_over": "the subscription to the application ended in Evotor: renew it there",
    "unwanted": "the mirror was paused, disconnected or suspended meanwhile",
    "Evotor resting": "Evotor's cloud is in trouble for many owners; everybody waits",
    "VK resting": "VK is in trouble for many owners; everybody waits",
}

_CLOUDS = frozenset({"Evotor", "VK"})


class Bar:
    """A progress bar of one line where there is a terminal, a line for each step where there is none."""

    def __init__(self, out: TextIO = sys.stderr, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._out = out
        self._live = out.isatty()
        self._clock = clock
        self._drawn_at = -1.0
        self._step: Step | None = None
        self._began = clock()

    def saw(self, _user: UserId, _run: RunId, progress: Progress, tally: Tally) -> None:
        """Ten times a second at most."""
        new_step = progress.step is not self._step
        now = self._clock()
        over = progress.total > 0 and progress.done >= progress.total
        if not new_step and not over and now - self._drawn_at < 0.1:
            return
        if new_step:
            if self._live and self._step is not None:
                self._out.write("\n")
            self._step, self._began = progress.step, now
        self._drawn_at = now
        if self._live:
            self._out.write("\r\x1b[K" + self.line(progress, tally))
            self._out.flush()
        elif new_step:
            self._out.write(_STEPS[progress.step] + "\n")

    def line(self, progress: Progress, tally: Tally) -> str:
        """The step, the bar and the counts, in one line."""
        name = f"{_STEPS[progress.step]:<24}"
        if not progress.total:
            return name + (f" {progress.done}" if progress.done else "")
        share = min(progress.done / progress.total, 1)
        bar = "█" * int(share * _WIDTH)
        left = self._left(progress)
        counts = f"  +{tally.created} ~{tally.updated}" if progress.step is Step.MIRROR else ""
        return f"{name} {bar:·<{_WIDTH}} {progress.done}/{progress.total}{counts}{left}"

    def _left(self, progress: Progress) -> str:
        spent = self._clock() - self._began
        if progress.done < 5 or spent < 2 or progress.done >= progress.total:
            return ""
        seconds = spent / progress.done * (progress.total - progress.done)
        return f"  {seconds / 60:.0f} min left" if seconds >= 90 else f"  {seconds:.0f} s left"

    def ended(self, _record: RunRecord) -> None:
        """Leave the line as it is."""
        if self._live and self._step is not None:
            self._out.write("\n")
            self._out.flush()


def said(code: str) -> str:
    """A code in words, where there are some."""
    cloud = code.partition(" ")[0]
    is_silent = code not in _CODES and cloud in _CLOUDS and card_of(code) is card_of(f"{cloud} 5xx")
    return f"{cloud} does not answer now: try again in some minutes" if is_silent else _CODES.get(code, "")


def summary(record: RunRecord) -> str:
    """What a run did, as printed at its end."""
    tally = record.tally
    seconds = (record.finished_at - record.started_at).total_seconds() if record.finished_at else 0.0
    lines = [
        f"Run {record.id}: {_outcome(record)}, {seconds:.1f} s",
        f"  products at the till  {tally.products:>7}",
        f"  created               {tally.created:>7}",
        f"  updated               {tally.updated:>7}",
        *([f"    {tally.hand_edits:>5}  set back after changes by hand in VK"] if tally.hand_edits else []),
        f"  hidden, shown again   {tally.hidden:>7} {tally.shown:>6}",
        f"  adopted               {tally.adopted:>7}",
        f"  unchanged             {tally.unchanged:>7}",
        f"  skipped               {tally.skipped:>7}",
        *_reasons(tally.reasons, _SKIPPED),
        f"  failed                {tally.failed:>7}",
        *_reasons(tally.failures, _CODES),
        f"  requests              VK {tally.vk_requests}, Evotor {tally.evotor_requests}",
        f"  photos, albums made   {tally.photos:>7} {tally.albums_made:>6}",
    ]
    if record.code:
        lines.append(f"  stopped by {record.code}" + (f": {said(record.code)}" if said(record.code) else ""))
    return "\n".join(lines)


def _outcome(record: RunRecord) -> str:
    words: Mapping[Outcome | None, str] = {
        Outcome.OK: "all done",
        Outcome.PARTIAL: "done, except some",
        Outcome.READ_ONLY: "read only, nothing was to be written yet",
        Outcome.CUT: "cut short, goes on later",
        Outcome.HELD: "stopped by a guard",
        Outcome.FAILED: "failed",
    }
    return words.get(record.outcome, "unfinished")


def _reasons(counts: Mapping[str, int], words: Mapping[str, str]) -> list[str]:
    ranked = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
    return [f"    {count:>5}  {words.get(key, key)}" for key, count in ranked]
