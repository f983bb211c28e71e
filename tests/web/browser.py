"""A reader of the site for tests: keeps cookies, sends the form's token along, and knows what a page says."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from html import unescape
from typing import Any

from aiohttp import ClientResponse
from aiohttp.test_utils import TestClient
from sqlalchemy import select

from evosync import resources
from evosync.accounts.links import Links
from evosync.db import accounts, people, single_use
from evosync.db.accounts import UserStatus
from evosync.db.engine import Database
from evosync.db.people import Person
from evosync.db.tables.site import letters
from evosync.domain.errors import CloudError
from evosync.domain.ids import CommunityId, UserId
from evosync.security.passwords import Passwords
from evosync.web.services import Check, ShopFound, Site, TillFound
from evosync.words.letters import Kind

PASSWORD = "correct horse 1"
NOW = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)


@dataclass(slots=True)
class Clock:
    """Time that moves when a test says so."""

    now: datetime = NOW

    def __call__(self) -> datetime:
        return self.now

    def pass_by(self, length: timedelta) -> None:
        self.now += length


@dataclass(slots=True)
class Queue:
    """Remembers what it was nudged for."""

    nudged: list[UserId] = field(default_factory=list)
    letters: int = 0

    async def nudge(self, user: UserId, /) -> None:
        self.nudged.append(user)

    async def send_letters(self) -> None:
        self.letters += 1


@dataclass(slots=True)
class Clouds:
    """Testers of both tokens; `till_error` and `shop` say what the next test finds."""

    till: TillFound = field(default_factory=lambda: TillFound(("Лавка на Садовой",), "01-000000000000001"))
    till_error: CloudError | None = None
    shop: ShopFound = field(default_factory=lambda: ShopFound(tuple(Check)))
    tried: list[str] = field(default_factory=list)

    async def test_till(self, token: str, /) -> TillFound:
        self.tried.append(token)
        if self.till_error is not None:
            raise self.till_error
        return self.till

    async def test_shop(self, token: str, community: CommunityId | str, /) -> ShopFound:
        self.tried.append(f"{token} {community}")
        return self.shop


def make_settings(base_url: str = "http://localhost:8000") -> Site:
    return Site(
        base_url=base_url,
        keys=(b"first key of the tests",),
        templates=resources.templates(),
        static=resources.static(),
        support="help@example.com",
        operator="ООО «Лавка»",
    )


@dataclass(slots=True)
class Page:
    """An answer with its text read."""

    response: ClientResponse
    text: str

    @property
    def status(self) -> int:
        return self.response.status

    @property
    def location(self) -> str:
        return self.response.headers.get("Location", "")

    @property
    def token(self) -> str:
        found = re.search(r'name="csrf_token" value="([^"]+)"', self.text)
        return unescape(found[1]) if found else ""

    @property
    def h1(self) -> str:
        found = re.search(r"<h1[^>]*>(.*?)</h1>", self.text, re.DOTALL)
        return unescape(re.sub(r"<[^>]+>", "", found[1])).strip() if found else ""

    @property
    def errors(self) -> list[str]:
        found = re.findall(r'<p class="err"[^>]*>(.*?)</p>', self.text, re.DOTALL)
        return [unescape(re.sub(r"<[^>]+>", "", one)).strip() for one in found]

    @property
    def toasts(self) -> list[str]:
        return [unescape(one) for one in re.findall(r'<p class="toast \w+">(.*?)</p>', self.text)]

    def value(self, name: str) -> str:
        """What a field of the page holds."""
        found = re.search(rf'<input[^>]*name="{name}"[^>]*>', self.text)
        value = re.search(r'value="([^"]*)"', found[0]) if found else None
        return unescape(value[1]) if value else ""


class Browser:
    """One reader. Never follows a redirect by itself."""

    def __init__(self, client: TestClient[Any, Any], language: str = "ru") -> None:
        self.client = client
        self.headers = {
            "Accept": "text/html",
            "Accept-Language": language,
            "User-Agent": "Mozilla/5.0 (X11; Linux) Chrome/1",
        }

    async def get(self, path: str, **headers: str) -> Page:
        reply = await self.client.get(path, headers=self.headers | headers, allow_redirects=False)
        return Page(reply, await reply.text())

    async def post(
        self, path: str, data: Mapping[str, str] | None = None, *, token: str | None = None, **headers: str
    ) -> Page:
        """With the token of a page of this session, unless another one is given."""
        if token is None:
            token = (await self.get("/privacy")).token
        sent = {"csrf_token": token, **(data or {})}
        reply = await self.client.post(path, data=sent, headers=self.headers | headers, allow_redirects=False)
        return Page(reply, await reply.text())

    @property
    def cookie(self) -> str:
        """The key of the session."""
        jar: Any = self.client.session.cookie_jar
        return next((cookie.value for cookie in jar if cookie.key == "evosync"), "")

    def set_cookie(self, key: str) -> None:
        self.client.session.cookie_jar.update_cookies({"evosync": key}, self.client.make_url("/"))

    async def sign_in(self, email: str, password: str = PASSWORD) -> Page:
        return await self.post("/login", {"email": email, "password": password})


@dataclass(slots=True)
class World:
    """What stands behind the pages."""

    database: Database
    passwords: Passwords
    links: Links
    clock: Clock
    queue: Queue
    clouds: Clouds
    redis: Any
    _hashed: str = ""

    async def person(
        self,
        email: str | None = "owner@example.com",
        *,
        role: str = "user",
        status: UserStatus = UserStatus.ACTIVE,
        phone: str | None = None,
        name: str = "Владелец лавки",
        language: str = "ru",
        password: str | None = PASSWORD,
    ) -> Person:
        self._hashed = self._hashed or await self.passwords.hash(PASSWORD)
        hashed = (
            None if password is None else self._hashed if password == PASSWORD else await self.passwords.hash(password)
        )

        async def work(connection: Any) -> Person:
            user = await accounts.create_user(
                connection,
                email=email,
                phone=phone,
                name=name,
                password_hash=hashed,
                status=status,
                language=language,
                time_zone="Europe/Moscow",
                at=self.clock.now,
                role=role,
            )
            made = await people.person(connection, user)
            assert made is not None
            return made

        return await self.database.write(work)

    async def again(self, person: Person) -> Person | None:
        """The person as the database has him now."""
        return await self.database.read(lambda connection: people.person(connection, person.id))

    async def by_email(self, email: str) -> Person | None:
        return await self.database.read(lambda connection: people.person_by_email(connection, email))

    async def change(self, person: Person, **values: Any) -> None:
        await self.database.write(lambda connection: people.change_person(connection, person.id, **values))

    async def outbox(self) -> list[tuple[str, str]]:
        """Kind and address of each letter, the oldest first."""
        async with self.database.reading() as connection:
            rows = await connection.execute(select(letters.c.kind, letters.c.address).order_by(letters.c.id))
            return [(kind, address) for kind, address in rows]

    async def link(self, kind: Kind) -> str:
        """Path and query of the link in the newest letter of this kind."""
        async with self.database.reading() as connection:
            number = await connection.scalar(
                select(letters.c.link_id).where(letters.c.kind == kind.value).order_by(letters.c.id.desc()).limit(1)
            )
            assert number is not None, f"no letter of the kind {kind}"
            found = await single_use.get(connection, number)
        assert found is not None
        return self.links.address(found).removeprefix("http://localhost:8000")

    async def token(self, kind: Kind) -> str:
        return (await self.link(kind)).partition("token=")[2]
