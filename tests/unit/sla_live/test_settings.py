"""Settings that would fail in the night are refused at the start."""

from typing import Any

import pytest
from pydantic import ValidationError

from services.sla.alerts.sinks import build_sinks
from services.sla.settings import Settings


def settings(**changes: Any) -> Settings:
    values = {"database_url": "postgresql://x", "kafka_bootstrap_servers": "x:1"}
    return Settings(**values | changes)


def test_without_receivers_there_are_no_sinks() -> None:
    assert build_sinks(settings()) == []


def test_each_receiver_with_an_address_has_a_sink() -> None:
    made = build_sinks(
        settings(
            alert_webhook_url="https://example.com/hook",
            alert_webhook_secret="whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
            alertmanager_url="http://alertmanager:9093/",
        )
    )
    assert [sink.name for sink in made] == ["webhook", "alertmanager"]


def test_a_webhook_without_a_secret_is_refused_by_name() -> None:
    with pytest.raises(ValidationError, match="TICKETING_ALERT_WEBHOOK_SECRET"):
        settings(alert_webhook_url="https://example.com/hook")


def test_a_secret_that_is_none_is_refused() -> None:
    broken = settings(alert_webhook_url="https://example.com/hook", alert_webhook_secret=" ")
    with pytest.raises(ValueError, match="secret"):
        build_sinks(broken)
