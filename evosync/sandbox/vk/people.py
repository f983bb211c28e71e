"""``users.get``, ``account.getAppPermissions``, ``groups.get``, ``groups.getById`` (VK FACTS 9)."""

from evosync.sandbox.vk.call import Call
from evosync.sandbox.vk.errors import VkError, wrong
from evosync.sandbox.vk.render import currency
from evosync.sandbox.vk.shop import Community

LEVEL_OF_FILTER = {"moder": 1, "editor": 2, "admin": 3}


def users_get(call: Call) -> object:
    """The person of the token, or persons by id."""
    asked = call.params.ids("user_ids", most=1000)
    call.params.text("fields")
    call.params.text("name_case")
    people = call.sandbox.people
    if not asked and call.token.kind == "community":
        return []
    found = [people[person_id] for person_id in asked or [call.token.person_id] if person_id in people]
    return [
        {
            "id": person.id,
            "first_name": person.first_name,
            "last_name": person.last_name,
            "can_access_closed": True,
            "is_closed": False,
        }
        for person in found
    ]


def app_permissions(call: Call) -> object:
    """The bit mask of what the token was really granted."""
    if call.token.kind == "community":
        raise VkError(27, "method is unavailable with group auth")
    return call.token.mask


def _community(call: Call, community: Community, fields: set[str]) -> dict[str, object]:
    level = community.levels.get(call.token.person_id, 0)
    seen: dict[str, object] = {
        "id": community.id,
        "name": community.name,
        "screen_name": f"club{community.id}",
        "is_closed": 0,
        "type": "group",
        "is_admin": int(level > 0),
        "is_member": int(level > 0),
    }
    if level:
        seen["admin_level"] = level
    if community.deactivated is not None:
        seen["deactivated"] = community.deactivated
    if "market" in fields:
        seen["market"] = _market(community)
    return seen


def _market(community: Community) -> dict[str, object]:
    if not community.market_enabled:
        return {"enabled": 0}
    prices = [item.kopecks for item in community.living()]
    return {
        "enabled": 1,
        "type": "basic",
        "contact_id": min(community.levels, default=0),
        "currency": currency(community.currency),
        "currency_text": currency(community.currency)["title"],
        "main_album_id": next((album.id for album in community.albums.values() if album.main), 0),
        "price_min": str(min(prices, default=0)),
        "price_max": str(max(prices, default=0)),
    }


def _fields(call: Call) -> set[str]:
    return {field.strip() for field in (call.params.text("fields") or "").split(",")}


def groups_by_id(call: Call) -> object:
    """Communities by id or by a name such as ``club77``, in the shape of 5.199: ``groups`` and ``profiles``."""
    text = call.params.text("group_ids") or call.params.required_text("group_id")
    asked = [part.strip().removeprefix("club") for part in text.split(",")]
    fields = _fields(call)
    numbers = [int(part) for part in asked if part.isascii() and part.isdigit()]
    found = [call.sandbox.communities[number] for number in numbers if number in call.sandbox.communities]
    if not found:
        raise wrong("group_ids", "is invalid")
    return {"groups": [_community(call, community, fields) for community in found], "profiles": []}


def groups_get(call: Call) -> object:
    """Communities of the token's person, by the level asked for."""
    call.person_only("groups")
    call.params.integer("user_id", low=1)
    names = [part.strip() for part in (call.params.text("filter") or "").split(",") if part.strip()]
    low = min((LEVEL_OF_FILTER[name] for name in names if name in LEVEL_OF_FILTER), default=1)
    extended, fields = bool(call.params.flag("extended")), _fields(call)
    offset = call.params.integer("offset", low=0) or 0
    count = call.params.integer("count", low=0, high=1000)
    mine = [c for c in call.sandbox.communities.values() if c.levels.get(call.token.person_id, 0) >= low]
    page = mine[offset : offset + (1000 if count is None else count)]
    if not extended:
        return {"count": len(mine), "items": [community.id for community in page]}
    return {"count": len(mine), "items": [_community(call, community, fields) for community in page]}
