"""Builds the website, and what sends its letters, from the core."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web

from evosync import resources
from evosync.accounts.post import PostOffice
from evosync.app import Core
from evosync.notify.letters import Renderer
from evosync.notify.mail import ConsoleMail, Mail, SmtpMail, SmtpServer
from evosync.notify.sms import ConsoleSms, Sms, SmsRu
from evosync.security.passwords import Passwords
from evosync.settings import Settings
from evosync.web.app import make_links, make_site
from evosync.web.connecting import ShopCheck, TillCheck
from evosync.web.services import Services, Site
from evosync.words.language import load_catalogs


@asynccontextmanager
async def open_services(core: Core) -> AsyncIterator[Services]:
    """What the pages and the outbox need; the password threads end with it."""
    async with Passwords() as passwords:
        yield Services(
            site=_site(core.settings),
            database=core.database,
            redis=core.redis,
            queue=core.queue,
            clock=core.clock,
            passwords=passwords,
            sealer=core.sealer,
            test_till=TillCheck(core.clients.till_for, core.sealer),
            test_shop=ShopCheck(core.clients.vk, core.sealer),
        )


def build_site(services: Services) -> web.Application:
    """The pages."""
    return make_site(services)


def post_office(core: Core, services: Services) -> PostOffice:
    """Sends the outbox's letters by the operator's providers."""
    renderer = Renderer(services.site.templates, load_catalogs(), base_url=services.site.base_url)
    return PostOffice(
        database=core.database,
        links=make_links(services),
        renderer=renderer,
        mail=_mail(core.settings, renderer.host),
        sms=_sms(core),
        clock=core.clock,
    )


def health_only() -> web.Application:
    """What a worker serves that has no pages."""

    async def health(_request: web.Request) -> web.Response:
        return web.json_response({"status": "ok"})

    app = web.Application()
    app.router.add_get("/health", health)
    return app


def _site(settings: Settings) -> Site:
    keys = (settings.secret_key, *settings.secret_key_previous)
    return Site(
        base_url=settings.base_url,
        keys=tuple(key.get_secret_value().encode() for key in keys),
        templates=resources.templates(),
        static=resources.static(),
        support=settings.support_email,
        operator=settings.operator_name,
        jivosite_widget_id=settings.jivosite_widget_id,
        proxies=settings.trusted_proxies,
        invite_hours=settings.invite_expire_hours,
        sms=settings.sms_provider != "console" or not settings.is_public,
        refresh_interval_seconds=settings.catalog_refresh_interval_seconds,
    )


def _mail(settings: Settings, host: str) -> Mail:
    if settings.email_provider == "console":
        return ConsoleMail()
    password = settings.smtp_password
    server = SmtpServer(
        host=settings.smtp_host,
        port=settings.smtp_port,
        sender=settings.smtp_sender,
        user=settings.smtp_user,
        password="" if password is None else password.get_secret_value(),
        tls=settings.smtp_tls,
    )
    return SmtpMail(server, host=host)


def _sms(core: Core) -> Sms:
    key = core.settings.sms_api_key
    if core.settings.sms_provider == "console" or key is None:
        return ConsoleSms()
    return SmsRu(core.clients.http, key.get_secret_value())
