"""What a macro or a rule writes to the customer leaves by mail like an agent's own words; a rule signs as nobody."""

from typing import Any
from uuid import uuid4

import pytest

from services.intake.channels.mail.out.sender import MailSender
from tests.integration.intake.desk import Caller
from tests.integration.intake_mail.outside import Outside, drained
from tests.integration.intake_mail.post import Post, a_mail, new_address
from tests.integration.intake_mail.test_out import (  # noqa: F401 - fixtures
    MAILBOXES,
    anna,
    house,
    lena,
    mails,
    sender,
    words,
)

pytestmark = pytest.mark.integration


async def test_a_macros_reply_and_a_rules_reply_reach_the_customer(
    mails: Post,  # noqa: F811
    anna: Caller,  # noqa: F811
    lena: Caller,  # noqa: F811
    outside: Outside,
    sender: MailSender,  # noqa: F811
) -> None:
    mark, ann = f"m-{uuid4().hex[:8]}", new_address()
    rule: dict[str, Any] = {
        "id": "thanks",
        "title": "Our secret rule",
        "events": ["tags_changed"],
        "when": [{"field": "tags_added", "op": "contains", "value": mark}],
        "actions": {"reply": "Told by {{agent.name|the desk}}."},
    }
    assert (await lena.send("PUT", "/v1/rules", {"rules": [rule]})).status_code == 200
    macro = {"title": "Told", "actions": {"reply": "From {{agent.name}}.", "add_tags": [mark]}}
    assert (await lena.send("PUT", f"/v1/macros/{mark}", macro)).status_code == 200
    opened = await mails.bring(a_mail("Fire", **{"from": f"Ann Lee <{ann}>"}))
    done = await anna.post(f"/v1/tickets/{opened['ticket_id']}/macros/{mark}")
    assert done.status_code == 200, done.text
    await drained(sender)
    assert (await lena.send("PUT", "/v1/rules", {"rules": []})).status_code == 200
    _, by_anna, by_rule = outside.mails(ann)
    assert by_anna["From"] == "Anna Berg at Desk <help@desk.example>"
    assert words(by_anna).startswith("From Anna Berg.")
    assert by_anna["Auto-Submitted"] is None
    assert by_rule["From"] == "Desk <help@desk.example>"
    assert words(by_rule).startswith("Told by the desk.")
    assert by_rule["Auto-Submitted"] == "auto-generated"
