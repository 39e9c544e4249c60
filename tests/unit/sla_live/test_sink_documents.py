"""Documents of sinks: what is refused, by field; secrets are named and never written out."""

from pathlib import Path
from typing import Any

import pytest

from services.sla.alerts.documents import read_sink
from services.sla.alerts.secrets import SecretMissing, Secrets
from services.sla.alerts.sinks_file import read_sinks_file
from shared.errors import Invalid
from tests.integration.sla.test_vendor_sinks import an_alert

PAGER = {"kind": "pagerduty", "routing_key": "env:TICKETING_SINK_PAGER"}
MAIL = {
    "kind": "email",
    "host": "mail.example.com",
    "sender": "sla@example.com",
    "recipients": ["oncall@example.com"],
}


@pytest.mark.parametrize(
    ("document", "field"),
    [
        ({}, "kind"),
        ({"kind": "pigeon"}, "kind"),
        ({"kind": "pagerduty"}, "routing_key"),
        (PAGER | {"routing_key": 7}, "routing_key"),
        (PAGER | {"routing_key": "R" * 32}, "routing_key"),
        (PAGER | {"routing_key": "env:TICKETING_DATABASE_URL"}, "routing_key"),
        (PAGER | {"routing_key": "env:HOME"}, "routing_key"),
        (PAGER | {"routing_key": "file:../../etc/passwd"}, "routing_key"),
        (PAGER | {"routing_key": "file:.hidden"}, "routing_key"),
        (PAGER | {"routingkey": "x"}, "routingkey"),
        (PAGER | {"per_minute_max": 0}, "per_minute_max"),
        (PAGER | {"when": {"priorities": ["urgnt"]}}, "when.priorities"),
        (PAGER | {"when": {"metrics": ["mood"]}}, "when.metrics"),
        (PAGER | {"when": {"kinds": []}}, "when.kinds"),
        (PAGER | {"when": {"team": ["x"]}}, "when.team"),
        (PAGER | {"when": {"targets": []}}, "when.targets"),
        ({"kind": "teams", "url": "https://example.com/workflow?sig=secret"}, "url"),
        ({"kind": "apprise", "url": "discord://id/token"}, "url"),
    ],
)
def test_what_cannot_be_accepted_is_named(document: dict[str, Any], field: str) -> None:
    with pytest.raises(Invalid) as refused:
        read_sink(document)
    assert [error.field for error in refused.value.errors] == [field]


@pytest.mark.parametrize(
    "document",
    [
        {"kind": "slack"},
        {"kind": "slack", "bot_token": "env:TICKETING_SINK_T"},
        {"kind": "slack", "bot_token": "env:TICKETING_SINK_T", "webhook_url": "file:hook"},
        MAIL | {"recipients": []},
        MAIL | {"recipients": ["a@example.com, b@example.com"]},
        MAIL | {"recipients": ["a@example.com\r\nBcc: b@example.com"]},
        MAIL | {"username": "x"},
        MAIL | {"username": "x", "password": "file:mail", "security": "none"},
        {"kind": "alertmanager", "url": "http://a", "resend_seconds": 301},
    ],
)
def test_what_does_not_fit_together_is_refused(document: dict[str, Any]) -> None:
    with pytest.raises(Invalid):
        read_sink(document)


def test_a_secret_written_out_is_not_repeated_in_the_refusal() -> None:
    with pytest.raises(Invalid) as refused:
        read_sink(PAGER | {"routing_key": "SECRET-SECRET-SECRET"})
    assert "SECRET-SECRET" not in str(refused.value) + str(refused.value.errors)


def test_secrets_come_from_where_they_are_named(tmp_path: Path) -> None:
    (tmp_path / "pager").write_text("from a file\n")
    secrets = Secrets({"TICKETING_SINK_PAGER": "from a variable", "OTHER": "ours"}, tmp_path)
    assert secrets.read("env:TICKETING_SINK_PAGER") == "from a variable"
    assert secrets.read("file:pager") == "from a file"
    for reference in ("env:TICKETING_SINK_NONE", "file:none", "env:OTHER", "ours", "file:../x"):
        with pytest.raises(SecretMissing):
            secrets.read(reference)
    with pytest.raises(SecretMissing, match="FOLDER"):
        Secrets({}, None).read("file:pager")


@pytest.mark.parametrize(
    ("when", "holds"),
    [
        ({}, True),
        ({"priorities": ["urgent", "high"]}, True),
        ({"priorities": ["low"]}, False),
        ({"groups": ["billing"], "metrics": ["first_reply"], "policies": ["standard"]}, True),
        ({"groups": ["billing"], "metrics": ["resolution"]}, False),
        ({"kinds": ["warning"]}, False),
        ({"steps": ["2"]}, True),
        ({"steps": ["2:1"]}, True),
        ({"steps": ["1", "2:2"]}, False),
        ({"targets": ["agent:anna", "agent:bob"]}, True),
        ({"targets": ["agent:bob"]}, False),
    ],
)
def test_an_alert_must_be_in_every_list_that_is_given(when: dict[str, Any], holds: bool) -> None:
    alert = an_alert(step="2:1", targets=["agent:anna"])
    assert read_sink(PAGER | {"when": when}).when.holds(alert) is holds


def test_an_alert_without_a_ladder_is_for_no_target_and_no_step() -> None:
    for when in ({"steps": ["1"]}, {"targets": ["agent:anna"]}):
        assert not read_sink(PAGER | {"when": when}).when.holds(an_alert())


def test_a_sink_for_those_who_are_called_gets_only_what_calls_somebody() -> None:
    personal = read_sink(MAIL | {"to_called": True, "recipients": []})
    assert personal.wants(an_alert(step="2", targets=["agent:anna"]))
    assert not personal.wants(an_alert())
    assert read_sink(MAIL).wants(an_alert())
    with pytest.raises(Invalid) as refused:
        read_sink(PAGER | {"to_called": True})
    assert [error.field for error in refused.value.errors] == ["to_called"]


def test_a_settings_file_is_checked_before_anything_starts(tmp_path: Path) -> None:
    path = tmp_path / "sinks.yml"
    path.write_text("sinks:\n  pager:\n    kind: pagerduty\n    routing_key: file:pager\n")
    assert read_sinks_file(path) == {"pager": {"kind": "pagerduty", "routing_key": "file:pager"}}
    for content, words in (
        ("sinks: [1]", "must hold `sinks`"),
        ("{", "cannot be read"),
        ("sinks: {pager: 7}", "sinks.pager"),
        ("sinks: {pager: {kind: pagerduty}}", "sinks.pager: routing_key"),
    ):
        path.write_text(content)
        with pytest.raises(ValueError, match=words):
            read_sinks_file(path)
