"""What the admin's pages have in common."""

from collections.abc import Mapping
from typing import Final

from aiohttp import web

from evosync.accounts.administration import Desk, Why
from evosync.web.keys import CLIENT, LINKS, SERVICES, SESSIONS, THROTTLE
from evosync.web.viewer import viewer_of
from evosync.words.language import marked

LARGEST: Final = 2**63 - 1

REFUSALS: Final[Mapping[Why, str]] = {
    Why.YOURSELF: marked("Not yourself: ask another administrator, or use your profile"),
    Why.LAST_SYSTEM_USER: marked("The last system administrator stays. Give somebody else this role first"),
    Why.NOWHERE_TO_SEND: marked("There is nowhere to send it: the account has no address"),
    Why.SUSPENDED: marked("The account is suspended. Let it back in first"),
    Why.ALREADY_HERE: marked("This person has a password already. Send a link for a new one instead"),
    Why.FIXED_ROLE: marked("The rights of this role are fixed"),
}


def desk_of(request: web.Request) -> Desk:
    """Who administrates, for the use cases."""
    services, client = request.app[SERVICES], request[CLIENT]
    return Desk(
        database=services.database,
        links=request.app[LINKS],
        sessions=request.app[SESSIONS],
        throttle=request.app[THROTTLE],
        by=viewer_of(request),
        address=client.address,
        at=client.at,
        sms=services.site.sms,
    )


def number_in_path(request: web.Request, name: str = "id") -> int:
    """Raises `HTTPNotFound` for what cannot be a number of ours."""
    text = request.match_info[name]
    if not (text.isascii() and text.isdecimal()) or int(text[:20]) > LARGEST:
        raise web.HTTPNotFound
    return int(text)


def page_number(request: web.Request) -> int:
    """From 1; nonsense is the first page."""
    text = request.query.get("page", "")
    return max(int(text), 1) if text.isascii() and text.isdecimal() and len(text) < 7 else 1
