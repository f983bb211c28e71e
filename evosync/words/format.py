"""Numbers, prices and times as people write them in each language (the design's section 10)."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from babel.dates import format_datetime

from evosync.words.language import Language, Words

NBSP = "\u00a0"
MINUS = "\u2212"
DEFAULT_ZONE = "Europe/Moscow"


def zone_of(name: str | None) -> ZoneInfo:
    """The zone of a stored name; Moscow for one that this machine does not know."""
    try:
        return ZoneInfo(name or DEFAULT_ZONE)
    except (ZoneInfoNotFoundError, ValueError):
        return ZoneInfo(DEFAULT_ZONE)


def utc_offset(zone: ZoneInfo, at: datetime) -> str:
    """How far a zone is from UTC at that time, as people write it: UTC+3, UTC+5:30, UTC."""
    away = at.astimezone(zone).utcoffset() or timedelta()
    hours, minutes = divmod(abs(int(away.total_seconds())) // 60, 60)
    if not hours and not minutes:
        return "UTC"
    return f"UTC{MINUS if away < timedelta() else '+'}{hours}" + (f":{minutes:02}" if minutes else "")


@dataclass(frozen=True, slots=True)
class Moment:
    """A time for a page: `text` is shown, `iso` is for machines, `title` says it whole with its zone."""

    text: str
    iso: str
    title: str

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True)
class Format:
    """Formats for one reader: his language, his zone, and the time it is."""

    words: Words
    zone: ZoneInfo
    now: datetime

    @property
    def _russian(self) -> bool:
        return self.words.language is Language.RU

    def number(self, value: int) -> str:
        text = f"{abs(value):,}"
        return (MINUS if value < 0 else "") + (text.replace(",", NBSP) if self._russian else text)

    def decimal(self, value: float, places: int = 1) -> str:
        """At most `places` after the point; zeros at the end fall away."""
        text = f"{value:.{places}f}"
        if "." in text:
            text = text.rstrip("0").rstrip(".")
        return text.replace(".", ",") if self._russian else text

    def price(self, kopecks: int | None, *, exact: bool = False) -> str:
        """Kopecks are shown where they are not 00, or where `exact` asks for them; a dash for no price."""
        if kopecks is None:
            return "—"
        roubles, rest = divmod(abs(kopecks), 100)
        sign = MINUS if kopecks < 0 else ""
        if self._russian:
            return f"{sign}{self.number(roubles)}{f',{rest:02}' if rest or exact else ''}{NBSP}₽"
        return f"{sign}₽{self.number(roubles)}{f'.{rest:02}' if rest or exact else ''}"

    def prices(self, old: int, new: int) -> tuple[str, str]:
        """Both sides of a diff, in the same form."""
        exact = bool(old % 100 or new % 100)
        return self.price(old, exact=exact), self.price(new, exact=exact)

    def percent(self, value: float) -> str:
        return f"{self.decimal(value, 0)}{NBSP if self._russian else ''}%"

    def change(self, old: int, new: int) -> str:
        """By how much a price changes, with its sign; empty where there was none before."""
        if old <= 0:
            return ""
        share = abs(new - old) * 100 / old
        sign = "+" if new > old else MINUS if new < old else ""
        text = self.decimal(share, 0)
        if text == "0" and new != old:
            text = self.decimal(share, 2 if share < 0.095 else 1)
        return f"{sign}{text}{NBSP if self._russian else ''}%"

    def clock(self, at: datetime) -> str:
        """The time of day alone."""
        return self._dated(at, "HH:mm" if self._russian else "h:mm a")

    def moment(self, at: datetime) -> Moment:
        """Today and yesterday by name, then the day, then the year too."""
        local, today = at.astimezone(self.zone), self.now.astimezone(self.zone)
        days = (today.date() - local.date()).days
        if days == 0:
            text = self.words.gettext("today, %(time)s", time=self.clock(at))
        elif days == 1:
            text = self.words.gettext("yesterday, %(time)s", time=self.clock(at))
        elif days == -1:
            text = self.words.gettext("tomorrow, %(time)s", time=self.clock(at))
        else:
            text = self._day(local, with_year=local.year != today.year)
        return Moment(text, at.astimezone(UTC).isoformat(timespec="seconds"), self._whole(at))

    def date(self, at: datetime) -> Moment:
        """The day alone, always with its year."""
        text = self._day(at.astimezone(self.zone), with_year=True)
        return Moment(text, at.astimezone(UTC).isoformat(timespec="seconds"), self._whole(at))

    def until(self, at: datetime) -> str:
        """Day and time, for a link or a key that ends."""
        day = self._day(at.astimezone(self.zone), with_year=False)
        return self.words.gettext("%(day)s, %(time)s", day=day, time=self.clock(at))

    def ago(self, at: datetime) -> Moment:
        """How long ago, under a day; else the moment."""
        seconds = (self.now - at).total_seconds()
        if seconds >= 86_400 or seconds < -60:
            return self.moment(at)
        minutes = round(seconds / 60)
        if minutes < 1:
            text = self.words.gettext("just now")
        elif minutes < 60:
            text = self.words.ngettext("%(num)s minute ago", "%(num)s minutes ago", minutes)
        else:
            text = self.words.ngettext("%(num)s hour ago", "%(num)s hours ago", round(minutes / 60))
        return Moment(text, at.astimezone(UTC).isoformat(timespec="seconds"), self._whole(at))

    def lasted(self, length: timedelta) -> str:
        """Short form: 4 s, 1.5 min, 2 h, 3 d."""
        seconds = max(length.total_seconds(), 0)
        if seconds < 60:
            return self.words.gettext("%(num)s s", num=self.decimal(seconds, 1 if seconds < 1 else 0))
        if seconds < 3600:
            return self.words.gettext("%(num)s min", num=self.decimal(seconds / 60, 1 if seconds < 600 else 0))
        if seconds < 172_800:
            return self.words.gettext("%(num)s h", num=self.decimal(seconds / 3600, 1 if seconds < 36_000 else 0))
        return self.words.gettext("%(num)s d", num=self.decimal(seconds / 86_400, 0))

    def span(self, length: timedelta) -> str:
        """In whole words, rounded up: 2 minutes, 3 hours, 4 days; never less than a minute."""
        minutes = max(-(-int(length.total_seconds()) // 60), 1)
        if minutes < 60:
            return self.words.ngettext("%(num)s minute", "%(num)s minutes", minutes)
        if minutes < 2880:
            return self.words.ngettext("%(num)s hour", "%(num)s hours", -(-minutes // 60))
        return self.words.ngettext("%(num)s day", "%(num)s days", -(-minutes // 1440))

    def wait(self, length: timedelta) -> str:
        """How long to wait: like `span`, in seconds under a minute, and in the case that follows «через»."""
        seconds = max(-(-int(length.total_seconds() * 10) // 10), 1)
        if seconds < 60:
            return self.words.npgettext("wait", "%(num)s second", "%(num)s seconds", seconds)
        minutes = -(-seconds // 60)
        if minutes < 60:
            return self.words.npgettext("wait", "%(num)s minute", "%(num)s minutes", minutes)
        return self.span(length)

    def left(self, length: timedelta | None) -> str:
        """What remains of a run, or that it is not known yet."""
        if length is None:
            return self.words.gettext("working out the time left")
        minutes = -(-int(length.total_seconds()) // 60)
        if minutes <= 1 and length < timedelta(minutes=1):
            return self.words.gettext("less than a minute left")
        # The Russian genitive differs from the nominative of `span`.
        if minutes < 60:
            return self.words.ngettext("about %(num)s minute left", "about %(num)s minutes left", minutes)
        if minutes < 2880:
            hours = -(-minutes // 60)
            return self.words.ngettext("about %(num)s hour left", "about %(num)s hours left", hours)
        days = -(-minutes // 1440)
        return self.words.ngettext("about %(num)s day left", "about %(num)s days left", days)

    def list(self, parts: list[str]) -> str:
        """a, b and c."""
        if len(parts) < 2:
            return "".join(parts)
        return self.words.gettext("%(first)s and %(last)s", first=", ".join(parts[:-1]), last=parts[-1])

    def _day(self, local: datetime, *, with_year: bool) -> str:
        pattern = ("d MMMM" if self._russian else "d MMM") + (" y" if with_year else "")
        return self._dated(local, pattern).replace(" ", NBSP)

    def _whole(self, at: datetime) -> str:
        day = self._day(at.astimezone(self.zone), with_year=True)
        return f"{day}, {self.clock(at)} ({utc_offset(self.zone, at)})"

    def _dated(self, at: datetime, pattern: str) -> str:
        text = format_datetime(at, pattern, tzinfo=self.zone, locale=self.words.language.value)
        return text if self._russian else text.replace("AM", "am").replace("PM", "pm")
