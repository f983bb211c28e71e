"""What the pages need from the rest, as they would like to have it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from redis.asyncio import Redis

from evosync.db.engine import Database
from evosync.domain.errors import CloudError
from evosync.domain.ids import CommunityId, UserId
from evosync.domain.policy import Policy
from evosync.security.passwords import Passwords
from evosync.security.seal import Sealer
from evosync.sync.one_run import Planned
from evosync.sync.workers import WorkerSeen
from evosync.vk.wire import Category

Clock = Callable[[], datetime]
"""Aware UTC."""


PICTURE_HOSTS = ("https://*.userapi.com", "https://*.vkuserphoto.ru", "https://*.vk.com")
"""Where VK serves pictures of items from."""


@dataclass(frozen=True, slots=True)
class Site:
    """What the operator set, as far as pages care.

    `keys` derive CSRF tokens and single-use links, the newest first; earlier ones are still accepted.
    `proxies` are the addresses whose `X-Forwarded-For` is believed. `picture_hosts` are sources that pages may
    load pictures from, as the content security policy writes them.
    """

    base_url: str
    keys: tuple[bytes, ...]
    templates: Path
    static: Path
    support: str = ""
    """An address for mail to the operator; empty: none is shown."""
    operator: str = ""
    """Who runs the service, for the privacy policy and the terms."""
    jivosite_widget_id: str = ""
    proxies: tuple[str, ...] = ("127.0.0.1", "::1")
    picture_hosts: tuple[str, ...] = PICTURE_HOSTS
    invite_hours: int = 48
    sms: bool = False
    """Whether an SMS can be sent, so that an account may live with a phone alone."""
    min_interval_seconds: int = 60
    refresh_interval_seconds: int = 3600
    policy: Policy = field(default_factory=Policy)
    """What the operator set for owners who set nothing."""
    adds_per_day: int | None = None
    """How many listings a day may bring to one community; None: as many as VK takes."""
    till_app: str = ""
    """The application's id at Evotor: the owners' link to it, and the one that events may name; empty: not known."""

    @property
    def is_https(self) -> bool:
        return self.base_url.startswith("https://")


class Queue(Protocol):
    """Only nudges: what must happen is in the database already. Called after the commit."""

    async def nudge(self, user: UserId, /) -> object:
        """Look at this owner's mirror."""

    async def send_letters(self) -> object:
        """Look at the outbox."""


@dataclass(frozen=True, slots=True)
class TillFound:
    """What a test of an Evotor token found. `till_user` is Evotor's number of the account, where a store told it."""

    stores: tuple[str, ...]
    till_user: str = ""


class TillTester(Protocol):
    """Tries an Evotor token without storing it."""

    async def __call__(self, token: str, /) -> TillFound:
        """Raises a `CloudError` that says why the token is of no use."""


class Check(StrEnum):
    """The five harmless steps of a VK test, in their order (VK FACTS 9)."""

    KEY = "key"
    RIGHTS = "rights"
    COMMUNITY = "community"
    READING = "reading"
    WRITING = "writing"


@dataclass(frozen=True, slots=True)
class ShopFound:
    """How far a VK test came. `passed` are the steps that are good; `error` is about the one after them.

    `values` are what the sentences need: `name`, `community`, `currency`, `items`, `albums`, `scope`.
    `community` is the number of the community that was tried, once it is known.
    """

    passed: tuple[Check, ...]
    error: CloudError | None = None
    values: dict[str, str] = field(default_factory=dict)
    vk_user_id: int | None = None
    community: CommunityId | None = None


class ShopTester(Protocol):
    """Tries a VK token against a community without storing it or writing anything; never raises a `CloudError`."""

    async def __call__(self, token: str, community: CommunityId | str, /) -> ShopFound:
        """`community` may be a short name, whose number VK is asked for."""


class Preview(Protocol):
    """Plans an owner's next run and writes nothing to VK; reads both clouds, so it takes seconds."""

    async def __call__(self, user: UserId, /) -> Planned | None:
        """None where it could not get so far; the record of the run says why, if there was one."""


class Categories(Protocol):
    """The leaves of VK's category tree, asked for with an owner's key."""

    async def __call__(self, user: UserId, /) -> Sequence[Category]:
        """Empty where VK is not connected. Raises a `CloudError`."""


async def no_preview(_user: UserId, /) -> Planned | None:
    """For a site that stands alone."""
    return None


async def no_categories(_user: UserId, /) -> Sequence[Category]:
    """For a site that stands alone."""
    return ()


@dataclass(frozen=True, slots=True)
class Checkup:
    """How the service is: its parts as `/health/ready` names them, the cron's last tick, the oldest waiting job.

    Both times are None too where Redis does not answer.
    """

    parts: Mapping[str, bool]
    ticked_at: datetime | None = None
    oldest_at: datetime | None = None


class Workshop(Protocol):
    """Who does the work, for the admin's queue page. Both raise `RedisError` or `OSError` without Redis."""

    async def workers(self) -> Sequence[WorkerSeen]:
        """Those that were heard of lately, also such as stopped or died."""

    async def depth(self) -> int:
        """How many jobs wait in the queue."""

    async def checkup(self) -> Checkup:
        """Never raises for a part that is ill."""


@dataclass(frozen=True, slots=True)
class Services:
    """Everything that is handed to the website."""

    site: Site
    database: Database
    redis: Redis
    queue: Queue
    clock: Clock
    passwords: Passwords
    sealer: Sealer
    test_till: TillTester
    test_shop: ShopTester
    preview: Preview = no_preview
    categories: Categories = no_categories
    workshop: Workshop | None = None
    """None for a site that stands alone: the queue page then says nothing of workers."""
