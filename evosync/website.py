"""Builds the website, what sends its letters, and the pages for machines, from the core."""

from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from urllib.parse import urlsplit

from aiohttp import web
from redis.exceptions import RedisError

from evosync import resources
from evosync.accounts.post import PostOffice
from evosync.app import Core, policy_of
from evosync.health import Doctor, Lookout, Pulse, nursing
from evosync.jobs.roster import Roster
from evosync.metrics import Gauges, counting, guarded_page, open_page
from evosync.notify.letters import Renderer
from evosync.notify.mail import ConsoleMail, Mail, SmtpMail, SmtpServer
from evosync.notify.sms import ConsoleSms, Sms, SmsRu
from evosync.security.passwords import Passwords
from evosync.settings import Settings, is_loopback
from evosync.sync.supervisor import Supervisor
from evosync.sync.workers import WorkerSeen
from evosync.web import apidocs
from evosync.web.app import make_links, make_site
from evosync.web.connecting import ShopCheck, TillCheck
from evosync.web.mirroring import CategoryTree, DryRun
from evosync.web.services import PICTURE_HOSTS, Checkup, Services, Site
from evosync.web.webhooks.routes import Webhooks
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
            preview=DryRun(core.engine),
            categories=CategoryTree(core.clients.vk, core.ledger, core.clock),
            workshop=_Workshop(core),
        )


class _Workshop:
    """`Workshop` over the roster and the doctor."""

    def __init__(self, core: Core) -> None:
        self._roster = Roster(core.redis, core.queue, core.clock)
        self._core = core

    async def workers(self) -> Sequence[WorkerSeen]:
        return await self._roster.workers()

    async def depth(self) -> int:
        return await self._roster.depth()

    async def checkup(self) -> Checkup:
        core, ticked, oldest = self._core, None, None
        report = await core.doctor.report()
        with suppress(RedisError, OSError):
            ticked, oldest = await Pulse(core.redis).last(), await core.queue.oldest()
        return Checkup(report.parts, ticked, oldest)


def build_site(core: Core, services: Services, supervisor: Supervisor | None = None) -> web.Application:
    """The pages, with the routes for monitors. `supervisor`: of this process, where it has a worker."""
    webhooks = Webhooks(services, _webhook_secrets(core.settings))
    routes = [*_monitored(core, supervisor), *webhooks.routes, *apidocs.routes]
    site = make_site(services, routes=routes)
    site.cleanup_ctx.append(webhooks.while_running)
    if supervisor is None:
        site.cleanup_ctx.append(lambda _site: nursing(Lookout(core.doctor)))
    # Outermost, so that what another middleware answers is counted too.
    site.middlewares.insert(0, counting(core.metrics))
    return site


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


def health_only(core: Core, supervisor: Supervisor | None) -> web.Application:
    """What a worker serves that has no pages."""

    async def health(_request: web.Request) -> web.Response:
        return web.json_response({"status": "ok"})

    app = web.Application(middlewares=[counting(core.metrics)])
    app.router.add_get("/health", health)
    app.router.add_routes(_monitored(core, supervisor))
    return app


def metrics_only(core: Core, supervisor: Supervisor | None) -> web.Application:
    """What `METRICS_PORT` serves."""
    app = web.Application()
    app.router.add_get("/metrics", open_page(_gauges(core, supervisor)))
    return app


def _monitored(core: Core, supervisor: Supervisor | None) -> list[web.RouteDef]:
    routes = [web.get("/health/ready", _ready(core.doctor), name="ready")]
    token = core.settings.metrics_token
    if token is not None:
        page = guarded_page(_gauges(core, supervisor), token.get_secret_value())
        routes.append(web.get("/metrics", page, name="metrics"))
    return routes


def _ready(doctor: Doctor) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    async def ready(_request: web.Request) -> web.Response:
        """503 where a part is ill: which one, and no more."""
        report = await doctor.report()
        return web.json_response(
            report.shown(), status=200 if report.is_well else 503, headers={"Cache-Control": "no-store"}
        )

    return ready


def _gauges(core: Core, supervisor: Supervisor | None) -> Gauges:
    def phases() -> Mapping[str, int]:
        states = supervisor.states() if supervisor is not None else ()
        return Counter(state.phase.value for state in states)

    async def parts() -> Mapping[str, bool]:
        return (await core.doctor.report()).parts

    return Gauges(core.metrics, core.database, core.queue, clock=core.clock, phases=phases, parts=parts)


def _webhook_secrets(settings: Settings) -> list[str]:
    """The current one first; a previous one alone lets nobody in."""
    current = settings.evotor_webhook_secret
    if current is None:
        return []
    return [secret.get_secret_value() for secret in (current, *settings.evotor_webhook_secret_previous)]


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
        policy=policy_of(settings),
        adds_per_day=settings.vk_adds_per_day,
        till_app=settings.evotor_app_id,
        picture_hosts=_picture_hosts(settings),
    )


def _picture_hosts(settings: Settings) -> tuple[str, ...]:
    """VK's own, and where VK is imitated on this machine, the imitation."""
    cloud = urlsplit(settings.vk_api_url)
    here = is_loopback(cloud.hostname or "")
    return (*PICTURE_HOSTS, f"{cloud.scheme}://{cloud.netloc}") if here else PICTURE_HOSTS


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
