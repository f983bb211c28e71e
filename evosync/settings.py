"""What the operator sets: read once, checked whole, never changed afterwards."""

import difflib
import ipaddress
import os
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final, Literal
from urllib.parse import urlsplit

from dotenv import dotenv_values
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
)
from pydantic_core import ErrorDetails
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from evosync import resources

SECRET_KEY_LENGTH: Final = 32
"""Fewest characters of a `SECRET_KEY` where the service can be reached from outside."""

_LEAST_SETTLE: Final = 30
"""Seconds in which a create may wait for its turn at VK after it was noted."""

_LOOPBACK_NAMES: Final = frozenset({"localhost", "ip6-localhost"})
_PICTURES: Final = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF8")


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake in the settings; `found` describes the value and never shows a secret."""

    name: str
    found: str
    fix: str

    def __str__(self) -> str:
        return f"{self.name} ({self.found}): {self.fix}"


class SettingsError(Exception):
    """The settings cannot be used; `problems` holds every mistake there is."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        self.problems = problems
        super().__init__("\n".join(["The settings have mistakes:", *(f"  - {problem}" for problem in problems)]))


def is_loopback(host: str) -> bool:
    """Whether the host can be reached from this machine alone."""
    name = host.strip("[]").rstrip(".").casefold()
    if name in _LOOPBACK_NAMES or name.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def _listed(value: object) -> object:
    return tuple(part for raw in value.split(",") if (part := raw.strip())) if isinstance(value, str) else value


def _secrets(value: object) -> object:
    """Listed; also as a whole, for a secret may hold a comma itself, and as the current one it was taken so."""
    parts = _listed(value)
    return (value.strip(), *parts) if isinstance(value, str) and isinstance(parts, tuple) and len(parts) > 1 else parts


def _unlimited(value: object) -> object:
    return None if isinstance(value, str) and value.casefold() == "unlimited" else value


def _cloud(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment or parts.username:
        raise ValueError("write an address like https://api.example.com")
    if parts.scheme == "http" and not is_loopback(parts.hostname):
        raise ValueError("use https: tokens must not travel in the clear")
    return value.rstrip("/")


def _database(value: SecretStr) -> SecretStr:
    try:
        url = make_url(value.get_secret_value())
    except ArgumentError:
        raise ValueError("write mysql://USER:PASSWORD@HOST/NAME, or leave it out for SQLite") from None
    match url.drivername:
        case "mysql" | "mysql+pymysql" | "mysql+aiomysql" | "mariadb" | "mariadb+pymysql" | "mariadb+aiomysql":
            return SecretStr(_mariadb(url).render_as_string(hide_password=False))
        case "sqlite" | "sqlite+aiosqlite":
            return SecretStr(url.set(drivername="sqlite+aiosqlite").render_as_string(hide_password=False))
        case other:
            raise ValueError(f"{other} is not supported; use MariaDB (mysql://...) or SQLite (sqlite:///FILE)")


def _mariadb(url: URL) -> URL:
    if not url.database:
        raise ValueError("name the database: mysql://USER:PASSWORD@HOST/NAME")
    if url.query.get("charset", "utf8mb4") != "utf8mb4":
        raise ValueError("leave charset out: it is always utf8mb4")
    return url.set(drivername="mysql+aiomysql").update_query_dict({"charset": "utf8mb4"})


def _redis(value: SecretStr) -> SecretStr:
    parts = urlsplit(value.get_secret_value())
    if parts.scheme not in {"redis", "rediss", "unix"} or not (parts.hostname or parts.path):
        raise ValueError(
            "write redis://HOST:6379/0, rediss://... or unix:///PATH, or leave it out for the embedded one"
        )
    return value


CloudUrl = Annotated[str, AfterValidator(_cloud)]
SecretList = Annotated[tuple[SecretStr, ...], BeforeValidator(_secrets)]
Seconds = Annotated[float, Field(gt=0)]


class Settings(BaseModel):
    """Every setting, under its name in lower case (`EVOSYNC_` aside); `.env.example` says what each is for."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    domain: str = ""
    base_url: str
    host: str = "127.0.0.1"
    port: int = Field(8000, ge=0, le=65535)
    data_dir: Path
    secret_key: SecretStr = Field(SecretStr(""), validate_default=True)
    secret_key_previous: SecretList = ()

    database_url: Annotated[SecretStr, AfterValidator(_database)]
    database_password: SecretStr | None = None
    """For an address that names none."""
    redis_url: Annotated[SecretStr, AfterValidator(_redis)] | None = None
    """None: the service runs a server of its own, see `embedded.py`."""

    evotor_api_url: CloudUrl = "https://api.evotor.ru"
    evotor_app_id: str = Field("", pattern=r"^[A-Za-z0-9-]*$")
    evotor_webhook_secret: SecretStr | None = None
    evotor_webhook_secret_previous: SecretList = ()
    evotor_timeout_seconds: Seconds = 30

    vk_api_url: CloudUrl = "https://api.vk.com/method"
    vk_api_version: str = Field("5.199", pattern=r"^\d+\.\d+$")
    vk_requests_per_second: float = Field(3, gt=0, le=20)
    vk_batch_limit: int = Field(25, ge=1, le=25)
    vk_adds_per_day: Annotated[int | None, BeforeValidator(_unlimited)] = Field(None, ge=1)
    vk_max_in_flight: int = Field(12, ge=1, le=100)
    vk_timeout_seconds: Seconds = 35
    vk_settle_seconds: float = Field(40, ge=0)
    vk_category_id: int = Field(40932, ge=1)
    vk_stock_amount: int = Field(1000, ge=1)
    vk_weight_price_multiplier: int = Field(10, ge=1)
    vk_default_photo_path: Path = Field(default_factory=resources.default_photo)

    catalog_refresh_interval_seconds: int = Field(3600, ge=60)
    catalog_delta_interval_seconds: int = Field(300, ge=10)
    catalog_delta_overlap_seconds: int = Field(600, ge=0)
    held_listing_seconds: int = Field(300, ge=0)
    root_group_title: str = Field("Прочее", min_length=1, max_length=128)
    max_runs: int = Field(32, ge=1)
    lease_seconds: float = Field(15, ge=3, le=25)
    stop_grace_seconds: float = Field(20, ge=0)

    invite_expire_hours: int = Field(48, ge=1)
    smtp_host: str = ""
    smtp_port: int = Field(587, ge=1, le=65535)
    smtp_user: str = ""
    smtp_password: SecretStr | None = None
    smtp_tls: Literal["tls", "starttls", "none"] = "starttls"
    smtp_sender: str = ""
    email_provider: Literal["console", "smtp"] = "console"
    sms_api_key: SecretStr | None = None
    sms_provider: Literal["console", "smsru"] = "console"
    operator_name: str = ""
    support_email: str = ""
    trusted_proxies: Annotated[tuple[str, ...], BeforeValidator(_listed)] = ("127.0.0.1", "::1")
    jivosite_widget_id: str = Field("", pattern=r"^[A-Za-z0-9]*$")
    flower_user: str = ""
    flower_password: SecretStr | None = None

    keep_runs: int = Field(1000, ge=10)
    keep_runs_days: int = Field(180, ge=1)
    keep_idle_runs_days: int = Field(2, ge=2)
    keep_results_days: int = Field(30, ge=3)
    keep_audit_days: int = Field(365, ge=1)
    keep_letters_days: int = Field(90, ge=8)
    keep_calls_days: int = Field(30, ge=4)

    metrics_port: int | None = Field(None, ge=0, le=65535)
    metrics_token: SecretStr | None = None
    sentry_dsn: SecretStr | None = None
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    log_format: Literal["auto", "json", "console"] = "auto"

    @property
    def is_public(self) -> bool:
        """Whether people reach the service from other machines."""
        return not is_loopback(urlsplit(self.base_url).hostname or "")

    @property
    def notices(self) -> tuple[str, ...]:
        """What the start must say although it is no mistake."""
        said = []
        if self.flower_user or self.flower_password is not None:
            said.append(
                f"FLOWER_USER and FLOWER_PASSWORD have no successor: see the queue at {self.base_url}/admin/queue"
            )
        if self.is_public and self.base_url.startswith("http://"):
            said.append(f"BASE_URL is {self.base_url}: without https passwords travel in the clear")
        if self.is_public and self.email_provider == "console":
            said.append("EMAIL_PROVIDER is console: letters go to standard output and reach nobody")
        return tuple(said)

    @property
    def hidden(self) -> tuple[str, ...]:
        """Every secret text among the settings, for the log to leave out."""
        found = [self.secret_key, *self.secret_key_previous, *self.evotor_webhook_secret_previous]
        single = (
            self.evotor_webhook_secret,
            self.flower_password,
            self.smtp_password,
            self.sms_api_key,
            self.metrics_token,
            self.sentry_dsn,
            self.database_password,
        )
        found += [secret for secret in single if secret is not None]
        passwords = [urlsplit(url.get_secret_value()).password for url in (self.database_url, self.redis_url) if url]
        return tuple(text for text in (*(secret.get_secret_value() for secret in found), *passwords) if text)

    @field_validator("log_level", "log_format", "email_provider", "sms_provider", "smtp_tls", mode="before")
    @classmethod
    def _spelling(cls, value: object, info: ValidationInfo) -> object:
        if not isinstance(value, str):
            return value
        return value.upper() if info.field_name == "log_level" else value.lower()

    @field_validator("email_provider")
    @classmethod
    def _smtp(cls, value: str, info: ValidationInfo) -> str:
        if value == "smtp" and not (info.data.get("smtp_host") and "@" in info.data.get("smtp_sender", "")):
            raise ValueError("with smtp, set SMTP_HOST, and SMTP_SENDER to the address that letters come from")
        return value

    @field_validator("sms_provider")
    @classmethod
    def _sms(cls, value: str, info: ValidationInfo) -> str:
        if value == "smsru" and info.data.get("sms_api_key") is None:
            raise ValueError("with smsru, set SMS_API_KEY")
        return value

    @field_validator("metrics_token")
    @classmethod
    def _unguessable(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and len(value.get_secret_value()) < 16:
            raise ValueError("give it at least 16 random characters")
        return value

    @field_validator("domain")
    @classmethod
    def _bare(cls, value: str) -> str:
        if any(char in value for char in "/:@ "):
            raise ValueError("write the bare name, like shop.example.ru")
        return value.rstrip(".").casefold()

    @field_validator("base_url")
    @classmethod
    def _root(cls, value: str) -> str:
        parts = urlsplit(value)
        if value and (
            parts.scheme not in {"http", "https"} or not parts.hostname or parts.path.strip("/") or parts.query
        ):
            raise ValueError("write an address without a path, like https://shop.example.ru")
        return value.rstrip("/").casefold()

    @field_validator("vk_settle_seconds")
    @classmethod
    def _outlasts_a_create(cls, value: float, info: ValidationInfo) -> float:
        host = urlsplit(info.data.get("vk_api_url", "")).hostname
        if host and not is_loopback(host) and value < _LEAST_SETTLE:
            raise ValueError(
                f"must be at least {_LEAST_SETTLE}: so long after it was noted may a create reach VK, and one that is "
                "repeated sooner may be there twice"
            )
        return value

    @field_validator("vk_default_photo_path")
    @classmethod
    def _picture(cls, value: Path) -> Path:
        try:
            with value.open("rb") as file:
                head = file.read(8)
        except OSError as error:
            raise ValueError(f"cannot be read ({error.strerror})") from None
        if not head.startswith(_PICTURES):
            raise ValueError("must be a PNG, JPEG or GIF picture")
        return value.resolve()

    @field_validator("data_dir", mode="after")
    @classmethod
    def _absolute(cls, value: Path) -> Path:
        return value.expanduser().absolute()

    @field_validator("secret_key")
    @classmethod
    def _strong(cls, value: SecretStr, info: ValidationInfo) -> SecretStr:
        key = value.get_secret_value()
        host = urlsplit(info.data.get("base_url", "")).hostname
        if host and not is_loopback(host) and (len(key) < SECRET_KEY_LENGTH or len(set(key)) < 8):
            raise ValueError(
                f"BASE_URL is public, so give it at least {SECRET_KEY_LENGTH} random characters: "
                'python3 -c "import secrets; print(secrets.token_urlsafe(32))"',
            )
        return value


_NAMES: Final[Mapping[str, str]] = {field: field.upper() for field in Settings.model_fields} | {
    # Too common a word to be read bare: a shell may well export HOST.
    field: f"EVOSYNC_{field.upper()}"
    for field in ("host", "port", "data_dir")
}
_OURS: Final = ("EVOSYNC_", "EVOTOR_", "VK_", "CATALOG_")


def names() -> frozenset[str]:
    """Every variable that is read, the `_FILE` forms aside."""
    return frozenset(_NAMES.values())


def load_settings(environ: Mapping[str, str], env_file: Path | None = None, **overrides: object) -> Settings:
    """Settings from `overrides` (by field; None is none), then `environ`, then `env_file`, then the defaults.

    An empty variable counts as unset. A secret may come from the file that NAME_FILE names. A missing SECRET_KEY
    is made and kept in the data directory, unless the service is public.

    Raises:
        SettingsError: with all mistakes at once.

    """
    problems: list[Problem] = []
    written = _read(env_file, problems)
    merged = {name: value.strip() for name, value in {**written, **environ}.items() if value.strip()}
    values: dict[str, Any] = {field: merged[name] for field, name in _NAMES.items() if name in merged}
    values |= _from_files(merged, problems)
    values |= {field: value for field, value in overrides.items() if value is not None}
    values = _with_password(_defaults(environ, values) | values)
    try:
        settings = Settings.model_validate(values)
    except ValidationError as error:
        problems += [_problem(details, values) for details in error.errors(include_url=False, include_context=False)]
        raise SettingsError(_sorted(problems)) from None
    if problems:
        raise SettingsError(_sorted(problems))
    return _prepared(settings)


def _sorted(problems: list[Problem]) -> tuple[Problem, ...]:
    return tuple(sorted(problems, key=lambda problem: problem.name))


def _defaults(environ: Mapping[str, str], values: Mapping[str, Any]) -> dict[str, Any]:
    """Defaults that depend on another setting or on the person's home."""
    share = environ.get("XDG_DATA_HOME") or Path(environ.get("HOME", "~"), ".local", "share")
    data_dir = Path(values.get("data_dir", Path(share, "evosync"))).expanduser().absolute()
    domain, port = values.get("domain"), values.get("port", 8000)
    return {
        "data_dir": data_dir,
        "base_url": f"https://{domain}" if domain else f"http://localhost:{port}",
        "database_url": f"sqlite+aiosqlite:///{data_dir / 'evosync.sqlite3'}",
    }


def _with_password(values: dict[str, Any]) -> dict[str, Any]:
    """The database's address with the password that was given apart, which a file may hold alone."""
    password = values.get("database_password")
    try:
        url = make_url(values["database_url"])
    except ArgumentError:
        return values  # told when the settings are checked
    if not password or url.password is not None or not url.host:
        return values
    return values | {"database_url": url.set(password=password).render_as_string(hide_password=False)}


def _read(env_file: Path | None, problems: list[Problem]) -> dict[str, str]:
    if env_file is None or not env_file.is_file():
        return {}
    try:
        # Taken literally: a password may well hold a dollar sign.
        written = {name: value or "" for name, value in dotenv_values(env_file, interpolate=False).items()}
    except (OSError, UnicodeDecodeError) as error:
        problems.append(Problem(str(env_file), type(error).__name__, "make it a readable UTF-8 file"))
        return {}
    known = names()
    for name in written:
        if name.removesuffix("_FILE") not in known and name.startswith(_OURS):
            near = difflib.get_close_matches(name, known, n=1)
            problems.append(
                Problem(
                    name, f"in {env_file.name}", f"no such setting; is it {near[0]}?" if near else "no such setting"
                )
            )
    return written


def _is_secret(field: str) -> bool:
    return "SecretStr" in str(Settings.model_fields[field].annotation)


def _from_files(merged: Mapping[str, str], problems: list[Problem]) -> Iterator[tuple[str, str]]:
    for field, name in _NAMES.items():
        path = merged.get(f"{name}_FILE") if _is_secret(field) else None
        if path is None:
            continue
        if name in merged:
            problems.append(Problem(name, f"and {name}_FILE are set", "keep one of them"))
            continue
        try:
            yield field, Path(path).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
            problems.append(Problem(f"{name}_FILE", path, f"cannot be read: {reason}"))


_PLAINER: Final[Mapping[str, str]] = {
    "int_parsing": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_parsing": "must be a number",
    "extra_forbidden": "no such setting",
}


def _problem(details: ErrorDetails, values: Mapping[str, Any]) -> Problem:
    field = str(details["loc"][0])
    value = values.get(field)
    if value is None:
        found = "not set"
    elif field in Settings.model_fields and _is_secret(field):
        text = value.get_secret_value() if isinstance(value, SecretStr) else str(value)
        found = f"{len(text)} characters"
    else:
        found = f"now {str(value)!r}"
    message = details["msg"].removeprefix("Value error, ").replace("Input should be", "must be")
    return Problem(_NAMES.get(field, field), found, _PLAINER.get(details["type"], message))


def _prepared(settings: Settings) -> Settings:
    """The same with the data directory made, where it is used, and with a key."""
    key = settings.secret_key.get_secret_value()
    if key and settings.redis_url and not settings.database_url.get_secret_value().startswith("sqlite"):
        return settings
    try:
        settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        kept = SecretStr(key or _kept_key(settings.data_dir))
    except OSError as error:
        problem = Problem("EVOSYNC_DATA_DIR", f"now {str(settings.data_dir)!r}", f"cannot be used: {error.strerror}")
        raise SettingsError((problem,)) from error
    return settings.model_copy(update={"secret_key": kept})


def _kept_key(data_dir: Path) -> str:
    """The data directory's own key, made by whoever comes first."""
    path = data_dir / "secret.key"
    made = data_dir / f".secret.key.{os.getpid()}.{secrets.token_hex(4)}"
    if not path.exists():
        with os.fdopen(os.open(made, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(secrets.token_urlsafe(48))
            file.flush()
            os.fsync(file.fileno())
        try:
            # A link appears whole or not at all, and never replaces the key of a process that was faster.
            path.hardlink_to(made)
        except FileExistsError:
            pass
        finally:
            made.unlink()
    return path.read_text(encoding="utf-8").strip()
