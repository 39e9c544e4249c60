"""Reading a sink's document as an administrator sends it; every fault named with its field."""

from collections.abc import Mapping
from typing import Any, Final, cast

import msgspec

from services.sla.alerts.alertmanager import Alertmanager
from services.sla.alerts.apprise import Apprise
from services.sla.alerts.jsm import Jsm
from services.sla.alerts.kind import SinkDocument
from services.sla.alerts.mail import Email
from services.sla.alerts.notice import Kind
from services.sla.alerts.pagerduty import PagerDuty
from services.sla.alerts.secrets import VARIABLE_PREFIX, is_reference
from services.sla.alerts.slack import Slack
from services.sla.alerts.teams import Teams
from services.sla.alerts.webhook import WebhookReceiver
from services.sla.engine.metrics import METRICS
from shared.errors import FieldError, Invalid
from shared.events.base import Priority
from shared.http.bodies import decode_json

AnySink = PagerDuty | Slack | Teams | Email | Jsm | Apprise | WebhookReceiver | Alertmanager

SECRETS: Final[Mapping[type[SinkDocument], tuple[str, ...]]] = {
    PagerDuty: ("routing_key",),
    Slack: ("webhook_url", "bot_token"),
    Teams: ("url",),
    Email: ("password",),
    Jsm: ("api_key",),
    Apprise: ("url",),
    WebhookReceiver: ("secret",),
    Alertmanager: (),
}
"""Which fields of each kind are references to secrets."""

PER_MINUTE_MAX: Final = 10_000


def read_sink(document: Mapping[str, Any]) -> AnySink:
    """A sink's document.

    Raises:
        Invalid: naming the wrong fields. A secret that was written out is not repeated.
    """
    sink: AnySink = decode_json(msgspec.json.encode(document), cast("type[AnySink]", AnySink))
    faults = [
        FieldError(
            field,
            f"names where the secret is kept: env:{VARIABLE_PREFIX}NAME or file:NAME; "
            "a secret itself never belongs into a document",
        )
        for field in SECRETS[type(sink)]
        if (value := getattr(sink, field)) is not None and not is_reference(value)
    ]
    if sink.per_minute_max is not None and not 1 <= sink.per_minute_max <= PER_MINUTE_MAX:
        faults.append(FieldError("per_minute_max", f"1 to {PER_MINUTE_MAX}"))
    faults += _unknown("when.priorities", sink.when.priorities, [each.value for each in Priority])
    faults += _unknown("when.metrics", sink.when.metrics, list(METRICS))
    faults += [
        FieldError(f"when.{name}", "is empty, so no alert would come; leave it out to ask nothing")
        for name in ("policies", "groups", "steps", "targets")
        if getattr(sink.when, name) == frozenset()
    ]
    faults += _unknown("when.kinds", sink.when.kinds, [each.value for each in Kind])
    if sink.to_called and not sink.may_reach_persons:
        faults.append(FieldError("to_called", "this kind of receiver knows no persons"))
    if faults:
        raise Invalid("The sink cannot be accepted.", errors=faults)
    return sink


def _unknown(field: str, given: frozenset[str] | None, known: list[str]) -> list[FieldError]:
    """A value that no alert has would silence the sink, and nobody would notice."""
    wrong = sorted((given or frozenset()) - set(known))
    if given is not None and not given:
        return [FieldError(field, "is empty, so no alert would come; leave it out to ask nothing")]
    return (
        [FieldError(field, f"unknown: {', '.join(wrong)}; one of {', '.join(known)}")]
        if wrong
        else []
    )
