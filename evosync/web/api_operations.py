"""What each route of our API takes and answers; `apidocs` makes the document of it and of the routes that there are."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

TillUser = Annotated[
    str,
    Field(
        pattern=r"^[0-9A-Fa-f]{2}-[0-9A-Fa-f]{15}$",
        description="Evotor's number of the account. `userUuid` is read too.",
        examples=["01-000000000000042"],
    ),
]


class Open(BaseModel):
    """Further fields are fine and are not looked at."""

    model_config = ConfigDict(extra="allow")


class UserCreate(Open):
    """With the custom fields of the portal: one that sounds like `email` or `phone` makes the account reachable."""

    userId: TillUser  # noqa: N815 - Evotor's name


class UserVerify(Open):
    """What the owner typed into the app's settings."""

    userId: TillUser  # noqa: N815 - the cloud's own name
    username: Annotated[str, Field(min_length=1, max_length=254, description="The mail address of the account")]
    password: Annotated[str, Field(min_length=1, max_length=200)]


class UserToken(Open):
    """The token with which the till's catalog is read."""

    userId: TillUser  # noqa: N815 - the cloud's own name
    token: Annotated[str, Field(pattern=r"^[!-~]{1,500}$")]


class Tariff(Open):
    """Withdrawn in 2017."""

    userId: TillUser  # noqa: N815 - the cloud's own name


class InstallationData(Open):
    """Whose installation it is. A `productId` of another application is refused, where ours is known."""

    userId: TillUser  # noqa: N815 - the cloud's own name


class Installation(Open):
    """`ApplicationInstalled` or `ApplicationUninstalled`; `timestamp`, in Unix milliseconds, orders them."""

    id: Annotated[str, Field(min_length=1, max_length=500)]
    type: Annotated[str, Field(min_length=1, max_length=500, examples=["ApplicationInstalled"])]
    data: InstallationData


class Subscription(Open):
    """What became of a subscription; `sequenceNumber` orders the events of one.

    A `productId` of another application is refused, where ours is known.
    """

    subscriptionId: Annotated[str, Field(min_length=1, max_length=500)]  # noqa: N815 - the cloud's own name
    userId: TillUser  # noqa: N815 - the cloud's own name
    sequenceNumber: Annotated[int, Field(ge=0, lt=2**53)]  # noqa: N815 - the cloud's own name
    type: Annotated[str, Field(min_length=1, max_length=500, examples=["SubscriptionTerminated"])]


class EventPayload(Open):
    """What it happened to, in v2 names."""

    user_id: TillUser


class SignedEvent(Open):
    """An event of a store, a product, a product group or a document; of others nothing follows."""

    payload: EventPayload


class StoreRow(Open):
    """A store, in v1 (`uuid`) or v2 (`id`) names."""


class Row(Open):
    """An entry in v1 or v2 names. It only says where to look: prices and names are read from the cloud."""


class Linked(BaseModel):
    """`token` is what the cloud shows from now on as this owner."""

    userId: str  # noqa: N815 - the cloud's own name
    token: str


class Verified(Linked):
    """`hasBilling`: whether the service bills by itself."""

    hasBilling: Literal[False]  # noqa: N815 - the cloud's own name


class Empty(BaseModel):
    """Understood and stored."""

    model_config = ConfigDict(extra="forbid")


class HookError(Open):
    """`code` is one of Evotor's."""

    code: int
    reason: str = ""
    subject: str = ""
    value: str = ""


class HookErrors(BaseModel):
    """Errors in Evotor's shape."""

    errors: list[HookError]


class Trouble(Open):
    """`text` is in the reader's language, `code` is for support."""

    kind: str
    text: str
    code: str


class PageError(BaseModel):
    """An error of a route of the website."""

    error: Trouble


class Health(BaseModel):
    """The process lives."""

    status: Literal["ok"]


class Ready(Open):
    """Which part is ill, and no more."""


class Tested(Open):
    """What a test of a connection found, in finished sentences."""

    ok: bool


class SyncStatus(Open):
    """How the mirror stands now."""


Body = type[BaseModel] | None


@dataclass(frozen=True, slots=True)
class Operation:
    """One route. `rows`: the body is one entry, a list of them, or `{"items": […]}`. `access`: who may call it."""

    summary: str
    tag: str
    answer: Body = None
    body: Body = None
    rows: bool = False
    access: tuple[str, ...] = ()
    errors: Mapping[int, str] = field(default_factory=dict)
    error: Body = None
    parameters: Mapping[str, str] = field(default_factory=dict)
    stream: bool = False


OPERATIONS: Final[dict[str, Operation]] = {}
"""By the route's name in the table of access."""


def op(route: str, summary: str, tag: str, **more: Any) -> None:
    """Describe a route; the document takes the words from here, and whether it exists from the router."""
    OPERATIONS[route] = Operation(summary, tag, **more)


SECRET: Final = "appSecret"  # noqa: S105 - the name of a scheme
TOKEN: Final = "userToken"  # noqa: S105 - a name, no password
SESSION: Final = "session"

_HOOKS: Final = "Webhooks"
_SITE: Final = "Website"
_SERVICE: Final = "Service"
_BAD: Final = {400: "2001 no JSON, 2002 a field is missing, 2003 a value is wrong", 413: "The body is too large"}
_AWAY: Final = {503: "Not stored: deliver it again"}
_BY_SECRET: Final[dict[str, Any]] = {
    "access": (SECRET,),
    "error": HookErrors,
    "errors": {401: "1001 the secret is wrong", **_BAD, **_AWAY},
}
_BY_TOKEN: Final[dict[str, Any]] = {
    "access": (TOKEN,),
    "error": HookErrors,
    "errors": {401: "1002 the user token is wrong", 402: "1004 the subscription is over", **_BAD, **_AWAY},
}
_EITHER: Final = {**_BY_SECRET, "access": (SECRET, TOKEN)}
_HINT: Final = {"answer": Empty, "body": Row, "rows": True, **_BY_TOKEN}
_OWN: Final[dict[str, Any]] = {
    "access": (SESSION,),
    "error": PageError,
    "errors": {
        401: "Not signed in",
        403: "The form token is missing",
        404: "Nothing is connected",
        422: "What is wrong",
        429: "Too often",
        503: "The cloud does not answer",
    },
}


def _with(base: Mapping[str, Any], errors: Mapping[int, str]) -> dict[str, Any]:
    return {**base, "errors": {**base["errors"], **errors}}


op(
    "POST /user/create",
    "An owner installed the app: make or find his account",
    _HOOKS,
    answer=Linked,
    body=UserCreate,
    **_with(_BY_SECRET, {409: "2005 the address has an account already: link it through verify"}),
)
op(
    "POST /user/verify",
    "An owner typed the login of his account",
    _HOOKS,
    answer=Verified,
    body=UserVerify,
    **_with(
        _BY_SECRET,
        {
            401: "1001 the secret is wrong, 1006 the login is wrong",
            409: "2004 this till belongs to another account, 2005 the account has another till",
        },
    ),
)
op(
    "POST /user/token",
    "The cloud token of a till; the last one wins",
    _HOOKS,
    answer=Empty,
    body=UserToken,
    **_with(_BY_SECRET, {409: "2004 the token opens the till of another account"}),
)
op("POST /user/tariff", "Understood, and of no use any more", _HOOKS, answer=Empty, body=Tariff, **_BY_SECRET)
op("POST /installation/event", "The app was installed or removed", _HOOKS, answer=Empty, body=Installation, **_EITHER)
op("POST /subscription/event", "What became of a subscription", _HOOKS, answer=Empty, body=Subscription, **_EITHER)
op("PUT /inventories/stores", "The stores of a till: look at them", _HOOKS, **{**_HINT, "body": StoreRow})
op("PUT /inventories/devices", "Understood, and dropped", _HOOKS, **_HINT)
op("PUT /inventories/employees", "Understood, and dropped", _HOOKS, **_HINT)
op(
    "POST /inventories/stores/{store}/products",
    "Products of a store changed: look at it",
    _HOOKS,
    parameters={"store": "The store's id"},
    **_HINT,
)
op(
    "PUT /inventories/stores/{store}/documents",
    "Documents of a store: sales change stock",
    _HOOKS,
    parameters={"store": "The store's id"},
    **_HINT,
)
op("PUT /", "A document: a sale changes stock", _HOOKS, **_HINT)
op("POST /receipts", "A receipt: a sale changes stock", _HOOKS, **_HINT)
op(
    "GET /commodities",
    "Look a bar code up: nothing is ever found here",
    _HOOKS,
    **_with(_BY_TOKEN, {404: "Nothing found"}),
)
op(
    "POST /hooks/evotor",
    "An event of the newer kind, signed by `X-Hub-Signature`",
    _HOOKS,
    answer=Empty,
    body=SignedEvent,
    error=HookErrors,
    errors={401: "1001 the signature is wrong", **_BAD, **_AWAY},
)
op("GET /health", "The process lives", _SERVICE, answer=Health)
op("GET /health/ready", "What it stands on is well", _SERVICE, answer=Ready, error=Ready, errors={503: "A part is ill"})
op("GET /openapi.json", "This document, as far as its reader may see it", _SERVICE, answer=Ready)
op("POST /connections/evotor/test", "Test the stored Evotor token", _SITE, answer=Tested, **_OWN)
op("POST /connections/vk/test", "Test the stored VK token", _SITE, answer=Tested, **_OWN)
op("GET /sync/status", "How the mirror stands", _SITE, answer=SyncStatus, **_OWN)
op("GET /sync/events", "How a run goes, as server-sent events", _SITE, stream=True, **_OWN)
