"""One call of a VK method: who calls, with what, and what the sandbox lets it see."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from evosync.sandbox.vk.errors import VkError
from evosync.sandbox.vk.params import Params
from evosync.sandbox.vk.shop import Community, Token

if TYPE_CHECKING:
    from evosync.sandbox.state import Sandbox
    from evosync.sandbox.vk.render import Renderer


@dataclass(slots=True)
class Call:
    """A method being carried out; ``inside`` is true within ``execute``."""

    sandbox: "Sandbox"
    token: Token
    params: Params
    renderer: "Renderer"
    inside: bool = False

    def person_only(self, scope: str) -> None:
        """Admit a person's token with that right, and no community key.

        Raises:
            VkError: 27 for a community's key, 15 when the scope was not granted.
        """
        if self.token.kind == "community":
            raise VkError(27, "method is unavailable with group auth")
        if scope not in self.token.scopes:
            raise VkError(15, "no access to call this method")

    def shop(self, *, writing: bool) -> Community:
        """The community of ``owner_id``, which must be negative.

        Raises:
            VkError: 100 for a positive or missing id, 15 or 205 without rights, 205 or 1438 for a shop switched off.
        """
        self.person_only("market")
        owner_id = self.params.required_integer("owner_id")
        if owner_id >= 0:
            raise VkError(100, "owner_id is invalid: only groups supported")
        return self.admitted(-owner_id, writing=writing)

    def admitted(self, group_id: int, *, writing: bool) -> Community:
        """The community if the caller may edit its shop and the shop is on; raises as :meth:`shop` does."""
        community = self.sandbox.communities.get(group_id)
        if community is None or not community.edited_by(self.token.person_id):
            raise VkError(205 if writing else 15)
        if community.deactivated is not None:
            raise VkError(15, "group is blocked")
        if not community.market_enabled:
            raise VkError(1438 if writing else 205)
        return community
