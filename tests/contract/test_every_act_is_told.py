"""Whatever changes something is in the audit: every route and every command is listed with the event that tells of it.

A new route or command without a line here fails; so does a line whose event, operation or address is gone.
"""

from typing import Final

import pytest
import typer
from pydantic import SecretStr
from typer.core import TyperGroup
from typer.main import get_command

from deploy.cli import app
from services.intake.main import build as build_intake
from services.intake.settings import Settings as IntakeSettings
from services.query.main import build as build_query
from services.query.own_log import TYPES
from services.query.settings import Settings as QuerySettings
from services.query.views.told_operations import OPERATIONS
from services.routing.main import build as build_routing
from services.routing.settings import Settings as RoutingSettings
from services.sla.main import build as build_sla
from services.sla.settings import Settings as SlaSettings
from shared.events import known_types

NOTHING: Final = "changes nothing: "
"""Begins the reason why an address needs no event."""

CONFIGURED: Final = "configuration.defined.v1"
CHANGING: Final = frozenset({"post", "put", "patch", "delete"})

TOLD: Final[dict[str, str]] = {
    # Tickets and what is said on them.
    "intake post /v1/tickets": "ticket.opened.v1",
    "intake post /v1/tickets/batch": "ticket.opened.v1",
    "intake patch /v1/tickets/{ticket_id}": "ticket.priority_changed.v1",
    "intake post /v1/tickets/{ticket_id}/checklists": "ticket.task_added.v1",
    "intake post /v1/tickets/{ticket_id}/close": "ticket.closed.v1",
    "intake post /v1/tickets/{ticket_id}/confirm": "ticket.closed.v1",
    "intake put /v1/tickets/{ticket_id}/family": "ticket.family_rule_changed.v1",
    "intake post /v1/tickets/{ticket_id}/links": "ticket.linked.v1",
    "intake delete /v1/tickets/{ticket_id}/links/{other_id}": "ticket.unlinked.v1",
    "intake post /v1/tickets/{ticket_id}/macros/{name}": "ticket.actions_applied.v1",
    "intake post /v1/tickets/{ticket_id}/merge": "ticket.merged.v1",
    "intake post /v1/tickets/{ticket_id}/notes": "ticket.note_added.v1",
    "intake post /v1/tickets/{ticket_id}/participants": "ticket.participant_added.v1",
    "intake delete /v1/tickets/{ticket_id}/participants/{person_id}": "ticket.participant_removed.v1",
    "intake post /v1/tickets/{ticket_id}/reopen": "ticket.reopened.v1",
    "intake post /v1/tickets/{ticket_id}/replies": "ticket.agent_replied.v1",
    "intake post /v1/tickets/{ticket_id}/resolve": "ticket.resolved.v1",
    "intake post /v1/tickets/{ticket_id}/satisfaction": "ticket.satisfaction_rated.v1",
    "intake post /v1/tickets/{ticket_id}/split": "ticket.messages_split.v1",
    "intake post /v1/tickets/{ticket_id}/steps/{step_id}/undo": "ticket.actions_undone.v1",
    "intake post /v1/tickets/{ticket_id}/tasks": "ticket.task_added.v1",
    "intake patch /v1/tickets/{ticket_id}/tasks/{task_id}": "ticket.task_changed.v1",
    "intake delete /v1/tickets/{ticket_id}/tasks/{task_id}": "ticket.task_removed.v1",
    "intake post /v1/tickets/{ticket_id}/unmerge": "ticket.unmerged.v1",
    "intake post /v1/tickets/{ticket_id}/unsplit": "ticket.split_undone.v1",
    # Ways in.
    "intake post /forms/{name}": "ticket.opened.v1",
    "intake post /v1/channels/chat/{chat_id}/tickets": "ticket.opened.v1",
    "intake post /v1/channels/chat/{chat_id}/join": "chat.join",
    "intake post /v1/channels/chat/{chat_id}/end": "chat.end",
    "intake post /v1/channels/email": "ticket.opened.v1",
    "intake post /v1/channels/email/refused/{refusal_id}/open": "ticket.opened.v1",
    "intake post /v1/channels/messengers/{kind}/{name}": "ticket.opened.v1",
    "intake post /v1/channels/phone/calls": "ticket.opened.v1",
    "intake post /survey": "ticket.satisfaction_rated.v1",
    "intake post /v1/attachments": NOTHING + "a file waits for the message that names it, or goes",
    "intake post /v1/articles/-/pictures": NOTHING + "a picture waits for the article that names it",
    # People and documents.
    "intake post /v1/contacts": "contact.defined.v1",
    "intake put /v1/contacts/{contact_id}": "contact.defined.v1",
    "intake post /v1/contacts/{contact_id}/merge": "contact.merged.v1",
    "intake post /v1/contacts/{contact_id}/unmerge": "contact.unmerged.v1",
    "intake put /v1/organizations/{organization_id}": "organization.defined.v1",
    "intake post /help/{name}": "article.judged.v1",
    "intake post /v1/articles/{name}/judgements": "article.judged.v1",
    "intake post /v1/answers/{name}/promote": CONFIGURED,
    "intake put /v1/rules": CONFIGURED,
    "intake post /v1/rules/dry-run": NOTHING + "a trial",
    **{
        f"intake {method} /v1/{path}/{{name}}": CONFIGURED
        for path in (
            *("answers", "articles", "fields", "forms", "intake/life", "intake/surveys", "macros"),
            *("ticket-types", "views/mine", "views/shared"),
        )
        for method in ("put", "delete")
    },
    "routing put /v1/agents/{agent_id}": "agent.defined.v1",
    "routing put /v1/groups/{group_id}": "group.defined.v1",
    "routing put /v1/routing/rules": "routing_rules.defined.v1",
    "routing put /v1/routing/settings": "routing_settings.defined.v1",
    "sla put /v1/calendars/{calendar_id}": "calendar.defined.v1",
    "sla put /v1/policies/{policy_id}": "sla_policy.defined.v1",
    "sla put /v1/policies/order": "sla_policy.defined.v1",
    "sla put /v1/oncall/sinks/{sink_id}": "alert_sink.defined.v1",
    "sla put /v1/oncall/contacts/{target}": "oncall_contact.defined.v1",
    "sla delete /v1/oncall/contacts/{target}": "oncall_contact.defined.v1",
    "sla put /v1/oncall/rotas/{rota_id}": "oncall_rota.defined.v1",
    "sla post /v1/oncall/rotas/{rota_id}/overrides": "oncall_rota.overridden.v1",
    "sla delete /v1/oncall/rotas/{rota_id}/overrides/{override_id}": "oncall_rota.override_ended.v1",
    "query put /v1/reports/subscriptions/{subscription_id}": "report_subscription.changed.v1",
    "query delete /v1/reports/subscriptions/{subscription_id}": "report_subscription.changed.v1",
    # Who works on what.
    "routing post /v1/agents/{agent_id}/presence": "agent.presence_changed.v1",
    "routing post /v1/agents/{agent_id}/heartbeat": NOTHING + "a sign of life; its end is agent.presence_changed.v1",
    "routing post /v1/queue/next": "assignment.assigned.v1",
    "routing post /v1/queue/skip": "assignment.skipped.v1",
    "routing post /v1/tickets/{ticket_id}/assign": "assignment.assigned.v1",
    "routing post /v1/tickets/{ticket_id}/escalate": "assignment.escalated.v1",
    "routing post /v1/tickets/{ticket_id}/group": "assignment.group_changed.v1",
    "routing post /v1/tickets/{ticket_id}/offer/accept": "assignment.assigned.v1",
    "routing post /v1/tickets/{ticket_id}/offer/decline": "assignment.offer_ended.v1",
    "routing post /v1/tickets/{ticket_id}/unassign": "assignment.unassigned.v1",
    "routing post /v1/routing/import/batch": "assignment.assigned.v1",
    "routing post /v1/routing/rules/dry-run": NOTHING + "a trial",
    "routing post /v1/routing/simulate": NOTHING + "a simulation",
    "sla post /v1/oncall/alerts/{key}/acknowledge": "sla.page_acknowledged.v1",
    "sla post /v1/sla/tickets/{ticket_id}/reviews": "sla.breach_retracted.v1",
    "sla post /v1/sla/judgements": "sla.judged_again.v1",
    "sla post /v1/calendars/evaluate": NOTHING + "arithmetic",
    "sla post /v1/sla/backtest": NOTHING + "a trial",
    "sla post /v1/sla/evaluate": NOTHING + "a trial",
    "query post /v1/tickets/{ticket_id}/attention": NOTHING + "who looks is shown and never stored",
    "query delete /session": NOTHING + "the browser forgets its cookie; the token stays what it was",
    # Operations.
    "query post /session": "login.refused",
    **{
        f"{service} post /parked/{{stream_id}}/{verb}": f"parked.{verb}"
        for service in ("intake", "routing", "sla", "query")
        for verb in ("retry", "discard")
    },
    "intake post /v1/bulk": "bulk.start",
    "intake post /v1/bulk/{job_id}/tickets": NOTHING + "more tickets for one's own job; each tells of itself",
    "intake post /v1/bulk/{job_id}/stop": "bulk.stop",
    "intake post /v1/bulk/{job_id}/undo": "bulk.undo",
    "intake post /v1/channels/email/outbox/{mail_id}/retry": "mail.retry",
    "intake post /v1/channels/email/outbox/{mail_id}/discard": "mail.discard",
    "intake post /v1/channels/messengers/outbox/{id}/{decision}": "message.retry",
    "routing post /v1/routing/import/start": "import.start",
    "routing post /v1/routing/import/end": "import.end",
    "sla post /v1/sla/import/start": "import.start",
    "sla post /v1/sla/import/end": "import.end",
    "sla post /v1/sla/reapplications": "policies.reapply",
    "sla post /v1/oncall/deliveries/{delivery_id}/replay": "delivery.replay",
    "sla post /v1/oncall/deliveries/{delivery_id}/discard": "delivery.discard",
    "sla post /v1/oncall/rotas/{rota_id}/feeds": "feed.make",
    "sla delete /v1/oncall/rotas/{rota_id}/feeds": "feeds.end",
    "sla post /v1/oncall/sinks/{sink_id}/test": "sink.test",
    # Commands that do something by themselves, and not by one of these addresses.
    "ticketing projections rebuild": "projections.rebuild",
    "ticketing projections drop-old": "projections.drop",
    "ticketing sla timers": "timers.mend",
    "ticketing token": "token.use",
    "ticketing run": NOTHING + "starts the services",
    "ticketing export": "lake.export",
}  # fmt: skip

BY_ADDRESSES: Final = frozenset({
    "alerts replay", "alerts discard", "bulk run", "bulk stop", "bulk undo", "import servicenow", "intake send-email",
    "intake rules apply", "mail retry", "mail discard", "parked retry", "parked discard", "rules apply",
    "sla judge-again", "sla reapply",
})  # fmt: skip
"""Commands that ask one of the addresses above."""

READING: Final = frozenset({
    "alerts list", "alerts show", "audit export", "audit roots", "audit verify", "bulk show", "calendar evaluate",
    "calendar from-ical", "calendar holidays", "intake parse-email", "intake rules export", "intake rules history",
    "intake rules show", "intake rules try", "mail list", "mail show", "parked list", "parked show",
    "projections list", "projections status", "report", "routing backtest", "routing simulate", "rules export",
    "rules history", "rules show", "rules try", "sla backtest", "sla evaluate",
})  # fmt: skip
"""Commands that only read; sensitive tickets that they show are recorded by the address that they ask."""


def routes() -> set[str]:
    """Everything in the documents of the services that changes something."""
    places = {
        "database_url": SecretStr("postgresql://nobody@127.0.0.1:1/none"),
        "kafka_bootstrap_servers": "127.0.0.1:1",
    }
    services = {
        "intake": build_intake(IntakeSettings(**places)),
        "routing": build_routing(RoutingSettings(**places)),
        "sla": build_sla(SlaSettings(**places)),
        "query": build_query(QuerySettings(**places)),
    }
    return {
        f"{name} {method} {path}"
        for name, service in services.items()
        for path, methods in service.api.openapi()["paths"].items()
        for method in CHANGING & methods.keys()
    }


def commands(command: object, path: str = "ticketing") -> set[str]:
    """Every command of the command line."""
    if not isinstance(command, TyperGroup):
        return {path}
    context = typer.Context(command)
    found: set[str] = set()
    for name in command.list_commands(context):
        found |= commands(command.get_command(context, name), f"{path} {name}")
    return found


def test_every_route_that_changes_something_is_listed() -> None:
    assert routes() == {name for name in TOLD if not name.startswith("ticketing ")}


def test_every_command_is_listed() -> None:
    known = {f"ticketing {name}" for name in BY_ADDRESSES | READING}
    own = {name for name in TOLD if name.startswith("ticketing ")}
    assert not known & own
    assert commands(get_command(app)) == known | own


@pytest.mark.parametrize("name", sorted(TOLD))
def test_what_tells_of_it_exists(name: str) -> None:
    told = TOLD[name]
    assert told.startswith(NOTHING) or told in {*known_types(), *TYPES, *OPERATIONS}
