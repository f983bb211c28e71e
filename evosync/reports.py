"""Crash reports to Sentry, where the operator named a project; no owner and no secret goes there."""

from collections.abc import Mapping
from typing import Any, cast

from evosync import __version__
from evosync.logs import Redactor
from evosync.settings import Problem, Settings, SettingsError


def start_reports(settings: Settings) -> bool:
    """Whether reports are sent from now on: what the log has as an error, with its traceback.

    Raises `SettingsError` where SENTRY_DSN is set and cannot be used.
    """
    if settings.sentry_dsn is None:
        return False
    try:
        import sentry_sdk  # noqa: PLC0415 - an extra, and half a second to load
        from sentry_sdk.utils import BadDsn  # noqa: PLC0415 - as above
    except ImportError as error:
        raise SettingsError((Problem("SENTRY_DSN", "set", "install the extra: evosync[sentry]"),)) from error
    redact = Redactor(settings.hidden)

    def before_send(event: Any, _hint: Mapping[str, Any]) -> Any:
        return cleaned(event, redact)

    try:
        sentry_sdk.init(
            dsn=settings.sentry_dsn.get_secret_value(),
            release=__version__,
            before_send=before_send,
            include_local_variables=False,
            max_request_body_size="never",
            max_breadcrumbs=0,
            traces_sample_rate=0,
            auto_enabling_integrations=False,
            server_name="",
        )
    except BadDsn as error:
        raise SettingsError(
            (Problem("SENTRY_DSN", "not an address", "copy it from the project's settings"),)
        ) from error
    return True


def cleaned(event: Mapping[str, Any], redact: Redactor) -> dict[str, Any]:
    """Without secrets, request and person."""
    kept = {name: value for name, value in event.items() if name not in {"request", "user", "server_name"}}
    return cast("dict[str, Any]", dict(redact(None, "", kept)))
