"""VK's error codes and their usual words."""

from collections.abc import Mapping

MESSAGES: Mapping[int, str] = {
    1: "Unknown error occurred",
    3: "Unknown method passed",
    5: "User authorization failed",
    6: "Too many requests per second",
    7: "Permission to perform this action is denied",
    8: "Invalid request",
    9: "Flood control",
    10: "Internal server error",
    12: "Unable to compile code",
    13: "Runtime error occurred during code invocation",
    14: "Captcha needed",
    15: "Access denied",
    17: "Validation required",
    24: "Confirmation required",
    27: "Group authorization failed",
    28: "Application authorization failed",
    29: "Rate limit reached",
    36: "Method execution was interrupted due to timeout",
    43: "This section is temporarily unavailable",
    100: "One of the parameters specified was missing or invalid",
    113: "Invalid user id",
    125: "Invalid group id",
    203: "Access to group denied",
    205: "Access denied",
    1400: "Too late for restore",
    1402: "Album not found",
    1403: "Item not found",
    1404: "Item already added to album",
    1405: "Too many items",
    1406: "Too many items in album",
    1407: "Too many albums",
    1408: "Item has bad links in description",
    1416: "Variant not found",
    1421: "Name too long",
    1429: "Specify width, length, height and weight all together",
    1438: "Market not enabled",
    1446: "Main album can not be hidden",
    1518: "Item is not deleted",
    1525: "Market is disabled",
    3609: "Token extension required",
}


class VkError(Exception):
    """A refusal with VK's code; ``extra`` holds the fields that some codes add (VK FACTS 4)."""

    def __init__(self, code: int, detail: str = "") -> None:
        """Word the refusal as VK does: the usual text, a colon and what exactly."""
        usual = MESSAGES.get(code, "Error")
        self.code = code
        self.message = f"{usual}: {detail}" if detail else usual
        super().__init__(self.message)

    def further(self, base_url: str) -> dict[str, object]:
        """The further fields of this code in a reply of its own; entries of ``execute_errors`` have none."""
        here = f"{base_url}/vk/confirm"
        if self.code == 14:
            return {"captcha_sid": "239633676097", "captcha_img": f"{here}/captcha.png", "redirect_uri": here}
        if self.code == 17:
            return {"redirect_uri": here}
        if self.code == 24:
            return {"confirmation_text": "Подтвердите действие"}
        return {}


def wrong(name: str, what: str) -> VkError:
    """Error 100 about one parameter, worded ``... invalid: name what``."""
    return VkError(100, f"{name} {what}")
