"""The log: one line per event, on standard output, with secrets left out in one place.

Every module logs through `logging` or structlog as it likes, with fields (`extra={...}`); all of it ends here.
What belongs to a whole request or run (`request_id`, `user_id`, `run_id`) is bound with `bound(...)`.
"""

import logging
import re
import sys
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from typing import Final, Literal, TextIO

import orjson
import structlog
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.web_protocol import RequestPayloadError
from structlog.typing import EventDict, Processor, WrappedLogger

HIDDEN: Final = "***"

_SECRET_KEY: Final = re.compile(
    r"token|secret|passw|authorization|cookie|credential|api_?key|private_?key|session_?id|csrf|^dsn$",
    re.IGNORECASE,
)
_CODE: Final = re.compile(r"[\w.~+/=-]{16,}")
_NOT_SECRET_KEY: Final = re.compile(r"(_at|_id|_count|_health|_kind)$", re.IGNORECASE)
_PATTERNS: Final = (
    # Authorization: Bearer x, Basic x, also as they stand in a printed mapping of headers
    (re.compile(r"(?i)\b(bearer|basic)(\s+)[\w.~+/=-]{6,}"), rf"\1\2{HIDDEN}"),
    (re.compile(r"(?i)(authorization[\"']?\s*[:=]\s*[\"']?)(?!(?:bearer|basic)\b)[^\s\"',;}]+"), rf"\1{HIDDEN}"),
    # access_token=x, "password": "x", token: x, and the same in an address
    (
        re.compile(
            r"(?i)((?:\b|_)(?:token|secret|password|passwd|secret_key|api_?key|csrf)[\"']?\s*[:=]\s*[\"']?)"
            r"[^\s\"'&,;)}\]]+",
        ),
        rf"\1{HIDDEN}",
    ),
    # a code of an authorization redirect
    (re.compile(r"(?i)([?&#]code=)[^\s\"'&]+"), rf"\1{HIDDEN}"),
    # user:password@ in an address
    (re.compile(r"(?i)(\b[a-z][a-z0-9+.-]*://[^\s:/@]*:)[^\s/@]+@"), rf"\1{HIDDEN}@"),
    # VK's own shapes: vk1.a.…, vk2.a.…, and the older 85 hexadecimal digits
    (re.compile(r"\bvk\d\.[a-z]\.[\w-]{8,}"), HIDDEN),
    (re.compile(r"\b[0-9a-f]{85}\b"), HIDDEN),
)


class Redactor:
    """Replaces what is or looks like a secret, however deep; `hide` are texts that are secret wherever they stand."""

    def __init__(self, hide: Iterable[str] = ()) -> None:
        exact = sorted({text for text in hide if len(text) >= 6}, key=len, reverse=True)
        self._exact = re.compile("|".join(map(re.escape, exact))) if exact else None

    def __call__(self, _logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        return {key: self._field(key, value) for key, value in event.items()}

    def text(self, text: str) -> str:
        if self._exact is not None:
            text = self._exact.sub(HIDDEN, text)
        for pattern, replacement in _PATTERNS:
            text = pattern.sub(replacement, text)
        return text

    def _field(self, key: object, value: object) -> object:
        name = str(key)
        secret = bool(_SECRET_KEY.search(name)) and not _NOT_SECRET_KEY.search(name)
        # An authorization's code is long and in one piece; ours are words: VK 5, Evotor 401.
        if name.casefold() == "code" and isinstance(value, str):
            secret = _CODE.fullmatch(value) is not None
        # Numbers and flags under such a name count or state something: `tokens: 3`.
        if secret and value is not None and not isinstance(value, bool | int | float):
            return HIDDEN
        return self._value(value)

    def _value(self, value: object) -> object:
        match value:
            case str():
                return self.text(value)
            case bytes():
                return self.text(value.decode("utf-8", "replace"))
            case None | bool() | int() | float():
                return value
            case Mapping():
                return {key: self._field(key, inner) for key, inner in value.items()}
            case list() | tuple() | set() | frozenset():
                return [self._value(inner) for inner in value]
            case _:
                return self.text(str(value))


def _without_echo(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    # Another handler on the same record leaves its formatted text in it, which would be taken for a field.
    return {key: value for key, value in event.items() if key not in {"message", "asctime"}}


def _json(_logger: WrappedLogger, _method: str, event: EventDict) -> str:
    return orjson.dumps(event, default=str, option=orjson.OPT_NON_STR_KEYS).decode()


class _Strangers(logging.Filter):
    """What is no HTTP was answered with 400 and is the sender's fault: no error of ours to wake anybody for."""

    def filter(self, record: logging.LogRecord) -> bool:
        kind = record.exc_info[0] if record.exc_info else None
        if kind is None or not issubclass(kind, HttpProcessingError | RequestPayloadError):
            return True
        record.levelno, record.levelname = logging.DEBUG, "DEBUG"
        record.msg, record.args, record.exc_info = "malformed request", (), None
        return logging.getLogger().isEnabledFor(logging.DEBUG)


_STRANGERS: Final = _Strangers()


def configure(
    *,
    level: str = "INFO",
    form: Literal["auto", "json", "console"] = "auto",
    hide: Iterable[str] = (),
    stream: TextIO | None = None,
) -> None:
    """Route structlog and `logging` into `stream` (standard output); may be called again with other settings."""
    out = stream if stream is not None else sys.stdout
    readable = form == "console" or (form == "auto" and out.isatty())
    first: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="%H:%M:%S" if readable else "iso", utc=not readable),
    ]
    # A traceback becomes text before the redaction, which therefore sees all that is written.
    last: list[Processor] = [
        structlog.stdlib.ProcessorFormatter.remove_processors_meta,
        structlog.processors.StackInfoRenderer(),
        structlog.processors.format_exc_info,
        Redactor(hide),
        structlog.dev.ConsoleRenderer(colors=out.isatty(), exception_formatter=structlog.dev.plain_traceback)
        if readable
        else _json,
    ]
    handler = logging.StreamHandler(out)
    foreign = [*first, _without_echo]
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(foreign_pre_chain=foreign, processors=last))
    root = logging.getLogger()
    for old in [one for one in root.handlers if isinstance(one.formatter, structlog.stdlib.ProcessorFormatter)]:
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(level)
    # arq logs each job twice and aiohttp each request: at INFO that is most of the log and says nothing. SQLite's
    # driver logs, for debugging, each statement with its values: addresses and sealed tokens are among them.
    for chatty in ("arq.worker", "aiohttp.access", "aiosqlite"):
        logging.getLogger(chatty).setLevel(max(logging.WARNING, logging.getLevelName(level)))
    logging.getLogger("aiohttp.server").addFilter(_STRANGERS)
    structlog.configure(
        processors=[*first, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )


def bound_now(name: str) -> str:
    """What is bound under that name here; empty if nothing is."""
    return str(structlog.contextvars.get_contextvars().get(name, ""))


def bound(**fields: object) -> AbstractContextManager[None]:
    """Fields of every line logged inside, in this task and those it starts."""
    return structlog.contextvars.bound_contextvars(**fields)
