"""What a request claims of itself does not get into a letter."""

import pytest

from evosync.website import open_services, post_office
from tests.security.conftest import Served
from tests.security.test_flood import owner, post, token


async def test_a_link_in_a_letter_leads_to_the_configured_address_whatever_the_request_claims(
    served: Served, capsys: pytest.CaptureFixture[str]
) -> None:
    await owner(served)
    form = {"csrf_token": await token(served), "email": "owner@example.com"}
    asked = await post(served, "/forgot-password", form, Host="evil.example", X_Forwarded_Host="evil.example")
    assert asked in {200, 303}
    async with open_services(served.core) as services:
        await post_office(served.core, services).send_due()
    said = capsys.readouterr().out
    assert f"{served.core.settings.base_url}/reset-password?token=" in said.replace("=\n", "")
    assert "evil.example" not in said
