"""Every metric of the product, a sentence each.

Names are `ticketing_<room>_<what>_<unit>`; the room is a service or a part that all services share (http, security,
store, relay, consumer, process). A service's `/metrics` shows the shared rooms and its own. Labels are bounded: no ids,
no free text. The client library's own `process_*` (resident memory, CPU, open files) and `python_*` come along.
"""

from typing import Final

from prometheus_client import (
    REGISTRY,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
)

CONTENT_TYPE: Final = "text/plain; version=1.0.0; charset=utf-8"

_SHARED_ROOMS: Final = ("http", "security", "process", "store", "relay", "consumer")
_ROOMS: Final[dict[str, CollectorRegistry]] = {}

# Bounds in seconds. Requests and transactions: from under a millisecond to the timeouts of clients.
_SHORT: Final = (
    *(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1),
    *(0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0),
)
# Delays that people promise each other: milliseconds when all is well, an hour after an outage.
_LONG: Final = (0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3600.0)
_SIZES: Final = (1, 2, 5, 10, 25, 50, 100, 250, 500, 1_000, 5_000)


def exposition(service: str) -> bytes:
    """The metrics page of one service, in Prometheus text format."""
    rooms = [_ROOMS[room] for room in (*_SHARED_ROOMS, service) if room in _ROOMS]
    return b"".join(generate_latest(registry) for registry in (REGISTRY, *rooms))


def _registry(name: str) -> CollectorRegistry:
    return _ROOMS.setdefault(name.split("_")[1], CollectorRegistry())


def _counter(name: str, sentence: str, *labels: str) -> Counter:
    return Counter(name, sentence, labels, registry=_registry(name))


def _gauge(name: str, sentence: str, *labels: str) -> Gauge:
    return Gauge(name, sentence, labels, registry=_registry(name))


def _histogram(
    name: str, sentence: str, *labels: str, buckets: tuple[float, ...] = _SHORT
) -> Histogram:
    return Histogram(name, sentence, labels, registry=_registry(name), buckets=buckets)


# --- http: requests, whichever service answers them

HTTP_REQUEST_SECONDS: Final = _histogram(
    "ticketing_http_request_seconds",
    "Time from the request's first byte read to the answer's last byte sent.",
    *("method", "route", "status"),
)
HTTP_REQUESTS_IN_PROGRESS: Final = _gauge(
    "ticketing_http_requests_in_progress", "Requests being worked on right now."
)
HTTP_UNEXPECTED_ERRORS: Final = _counter(
    "ticketing_http_unexpected_errors_total",
    "Requests that ended in an error nobody planned (500); each is in the log with its traceback.",
)

# --- security: tokens

SECURITY_TOKENS_CHECKED: Final = _counter(
    "ticketing_security_tokens_checked_total",
    "Tokens whose signature was checked, by outcome; tokens already known are not counted.",
    "outcome",
)
SECURITY_KEY_REFRESHES: Final = _counter(
    "ticketing_security_key_refreshes_total",
    "Times the issuer's keys were read again, by outcome.",
    "outcome",
)

# --- process: the interpreter

PROCESS_EVENT_LOOP_LAG_SECONDS: Final = _histogram(
    "ticketing_process_event_loop_lag_seconds",
    "How late the event loop woke a timer: something blocked it for so long.",
)

# --- store: the transactions of a service

STORE_TRANSACTION_SECONDS: Final = _histogram(
    "ticketing_store_transaction_seconds", "Duration of one transaction, commit included."
)
STORE_TRANSACTIONS_REPEATED: Final = _counter(
    "ticketing_store_transactions_repeated_total",
    "Transactions rolled back and run again after a conflict or a lost connection, by reason.",
    "reason",
)
STORE_EVENTS_APPENDED: Final = _counter(
    "ticketing_store_events_appended_total", "Events committed to this service's store."
)
STORE_GROUP_SIZE: Final = _histogram(
    "ticketing_store_group_size_commands",
    "Commands that shared one transaction.",
    buckets=_SIZES,
)
STORE_COMMANDS_WAITING: Final = _gauge(
    "ticketing_store_commands_waiting", "Commands that wait for their transaction right now."
)
STORE_REPLAYS: Final = _counter(
    "ticketing_store_replays_total",
    "Commands answered from an earlier one with the same Idempotency-Key.",
)
STORE_EVENTS_SEALED: Final = _counter(
    "ticketing_store_events_sealed_total",
    "Events whose hash is in a seal of the audit; stays behind those appended by about a second's worth.",
)
STORE_SEALS_VANISHED: Final = _counter(
    "ticketing_store_seals_vanished_total",
    "Times the newest seal in the database was not the one this process had written: somebody changed the audit.",
)

# --- relay: from the store to Kafka

RELAY_PUBLISHED: Final = _counter(
    "ticketing_relay_published_total", "Events that Kafka has acknowledged, by owner.", "owner"
)
RELAY_INTERRUPTIONS: Final = _counter(
    "ticketing_relay_interruptions_total",
    "Times the relay stopped at a failure and began again from its stored position.",
    "owner",
)
RELAY_LAG_EVENTS: Final = _gauge(
    "ticketing_relay_lag_events", "Events stored and not yet acknowledged by Kafka.", "owner"
)
RELAY_DELAY_SECONDS: Final = _histogram(
    "ticketing_relay_delay_seconds",
    "Time from an event being recorded to Kafka's acknowledgement.",
    "owner",
    buckets=_LONG,
)
RELAY_IS_LEADER: Final = _gauge(
    "ticketing_relay_is_leader",
    "1 in the process that publishes, 0 in those that stand by.",
    "owner",
)

# --- consumer: from Kafka to a service's transaction

CONSUMER_APPLIED: Final = _counter(
    "ticketing_consumer_applied_total", "Events whose effects were committed.", "consumer"
)
CONSUMER_REPEATED: Final = _counter(
    "ticketing_consumer_repeated_total",
    "Events that had been applied before and were passed over.",
    "consumer",
)
CONSUMER_HELD: Final = _counter(
    "ticketing_consumer_held_total",
    "Events that had to wait for an earlier one of their stream.",
    "consumer",
)
CONSUMER_PARKED: Final = _counter(
    "ticketing_consumer_parked_total",
    "Events parked with their stream until a person decides.",
    "consumer",
)
CONSUMER_UNKNOWN: Final = _counter(
    "ticketing_consumer_unknown_total",
    "Events of a type this version does not know; passed over.",
    "consumer",
)
CONSUMER_RETRIES: Final = _counter(
    "ticketing_consumer_retries_total",
    "Batches tried again after a transient error; they are never skipped.",
    "consumer",
)
CONSUMER_FENCED: Final = _counter(
    "ticketing_consumer_fenced_total",
    "Batches refused because another process had already moved the position.",
    "consumer",
)
CONSUMER_LAG: Final = _gauge(
    "ticketing_consumer_lag_events",
    "Events on the topic behind the committed positions.",
    *("consumer", "topic"),
)
CONSUMER_NEWEST: Final = _gauge(
    "ticketing_consumer_newest_timestamp_seconds",
    "When the newest event applied was recorded (Unix time): now minus this is the lag in seconds.",
    "consumer",
)
CONSUMER_BATCH_SECONDS: Final = _histogram(
    "ticketing_consumer_batch_seconds", "Time to handle and commit one batch.", "consumer"
)

CONSUMER_PARKED_STREAMS: Final = _gauge(
    "ticketing_consumer_parked_streams",
    "Streams (tickets, mostly) that are parked now and wait for a person to decide.",
    "consumer",
)
CONSUMER_HELD_OLDEST_SECONDS: Final = _gauge(
    "ticketing_consumer_held_oldest_seconds",
    "Age of the oldest event that still waits for an earlier one of its stream; 0 when none does.",
    "consumer",
)

# --- intake

INTAKE_TICKETS_OPENED: Final = _counter(
    "ticketing_intake_tickets_opened_total",
    "Tickets opened, by channel; a transaction that had to be repeated counts again.",
    "via",
)
INTAKE_MESSAGES_IN: Final = _counter(
    "ticketing_intake_messages_in_total",
    "Messages, forms and calls that came and were stored, by channel; a repeated one counts once.",
    "channel",
)
INTAKE_MESSAGES_OUT: Final = _counter(
    "ticketing_intake_messages_out_total",
    "Attempts to hand a message over, by channel and outcome: sent, later, dead, or away (the mail server took none).",
    "channel",
    "outcome",
)
INTAKE_OUTBOX_WAITING: Final = _gauge(
    "ticketing_intake_outbox_waiting_count",
    "Messages in the outbox of a channel that are to be sent yet.",
    "channel",
)
INTAKE_OUTBOX_OLDEST_SECONDS: Final = _gauge(
    "ticketing_intake_outbox_oldest_seconds",
    "How long ago the oldest message that is to be sent yet was written, by channel; 0: none waits.",
    "channel",
)
INTAKE_OUTBOX_DEAD: Final = _gauge(
    "ticketing_intake_outbox_dead_count",
    "Messages that somebody did not get and nobody tries any more, by channel: retry or discard them.",
    "channel",
)
INTAKE_CHAT_SOCKETS: Final = _gauge(
    "ticketing_intake_chat_sockets_count",
    "People connected to the live chat, by side: visitor, agent.",
    "side",
)
INTAKE_MAIL_DELAY_SECONDS: Final = _histogram(
    "ticketing_intake_mail_delay_seconds",
    "Time from the reply to the moment at which the mail server had it.",
    buckets=_LONG,
)
INTAKE_POSTPONEMENT_DELAY_SECONDS: Final = _histogram(
    "ticketing_intake_postponement_delay_seconds",
    "How late a postponed ticket was opened again.",
    buckets=_LONG,
)

INTAKE_RULES: Final = _counter(
    "ticketing_intake_rules_total",
    "Rules whose conditions held, by outcome: applied, refused, failed, or stopped by the guard (loop, depth, rate).",
    "outcome",
)

INTAKE_RULE_DELAY_SECONDS: Final = _histogram(
    "ticketing_intake_rule_delay_seconds",
    "How late a time rule ran on a ticket; one that was made after its moment counts from when it was made.",
    buckets=_LONG,
)

# --- routing

ROUTING_DECISIONS: Final = _counter(
    "ticketing_routing_decisions_total",
    "Decisions about who works on a ticket, by kind (assigned, queued, unassigned, withdrawn, group_changed).",
    "kind",
)
ROUTING_OVER_CAPACITY: Final = _counter(
    "ticketing_routing_over_capacity_total",
    "Tickets that went above an agent's limit: given by hand, reopened, or grown heavier in hand.",
)
ROUTING_DECISION_SECONDS: Final = _histogram(
    "ticketing_routing_decision_seconds",
    "Time from a ticket's event being recorded to the decision about it.",
    buckets=_LONG,
)
ROUTING_QUEUED_TICKETS: Final = _gauge(
    "ticketing_routing_queued_tickets", "Tickets for which nobody was eligible yet."
)
ROUTING_AGENTS: Final = _gauge(
    "ticketing_routing_agents", "Agents known to routing, by presence.", "presence"
)
ROUTING_HEARTBEATS_LOST: Final = _counter(
    "ticketing_routing_heartbeats_lost_total",
    "Agents whose presence lapsed because their heartbeat stopped.",
)

# --- sla

SLA_OUTCOMES: Final = _counter(
    "ticketing_sla_outcomes_total",
    "What clocks came to, by metric and outcome (started, warning, breached, met, cancelled, breach_retracted,"
    " needs_review, unschedulable, failed and others).",
    *("metric", "outcome"),
)
SLA_DETECTION_SECONDS: Final = _histogram(
    "ticketing_sla_detection_seconds",
    "Time from a deadline to the event that says it was missed; imports are not counted.",
    buckets=_LONG,
)
SLA_TIMERS_OPEN: Final = _gauge("ticketing_sla_timers_open", "Tickets with a deadline ahead.")
SLA_TIMERS_OVERDUE: Final = _gauge(
    "ticketing_sla_timers_overdue", "Deadlines that have passed and are not judged yet."
)
SLA_ESCALATION_STEPS: Final = _counter(
    "ticketing_sla_escalation_steps_total", "Steps of escalation ladders that fired."
)
SLA_PAGES: Final = _counter(
    "ticketing_sla_pages_total",
    "Pages to people on call: `paged`, `nobody_on_call`, `acknowledged`, `unanswered`.",
    "outcome",
)
SLA_TIMER_LAG_SECONDS: Final = _gauge(
    "ticketing_sla_timer_lag_seconds",
    "How long ago the earliest deadline passed that is not judged yet; 0 when none waits.",
)
SLA_ALERTS: Final = _counter(
    "ticketing_sla_alerts_total",
    "Attempts to deliver an alert, by sink and outcome (delivered, retried, dead).",
    *("sink", "outcome"),
)
SLA_ALERT_DELAY_SECONDS: Final = _histogram(
    "ticketing_sla_alert_delay_seconds",
    "Time from a breach being recorded to its delivery.",
    "sink",
    buckets=_LONG,
)
SLA_ALERTS_WAITING: Final = _gauge(
    "ticketing_sla_alerts_waiting", "Alerts not delivered yet, by sink.", "sink"
)
SLA_ALERTS_DEAD: Final = _gauge(
    "ticketing_sla_alerts_dead",
    "Alerts given up, by sink; they wait for a replay or for being discarded.",
    "sink",
)
SLA_ALERT_BREAKER_STATE: Final = _gauge(
    "ticketing_sla_alert_breaker_state",
    "Whether a sink is being spared: 0 sends, 1 asks with one notice, 2 spares it.",
    "sink",
)
SLA_SINK_BROKEN: Final = _gauge(
    "ticketing_sla_sink_broken",
    "1 while an enabled sink cannot be sent to because its document or a secret is not usable.",
    "sink",
)

# --- query

QUERY_VISIBLE_SECONDS: Final = _histogram(
    "ticketing_query_visible_seconds",
    "Time from an event being recorded by its owner to its being seen by readers; imports, and what was recorded"
    " before the process started, are not counted.",
    buckets=_LONG,
)
QUERY_VERSION_WAITS: Final = _counter(
    "ticketing_query_version_waits_total",
    "Readers who asked for a version of their own (min_version), by outcome (there, waited, gave_up).",
    "outcome",
)
QUERY_REPORT_MAILS: Final = _counter(
    "ticketing_query_report_mails_total",
    "Reports by mail, by outcome of an attempt (sent, retried, dead).",
    "outcome",
)
QUERY_LIVE_VIEWERS: Final = _gauge(
    "ticketing_query_live_viewers", "Browsers and programs that follow the dashboard stream."
)
