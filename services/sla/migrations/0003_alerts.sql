-- Alerts and the outbox through which they leave: written in the transaction of the breach, sent afterwards.

CREATE TABLE alerts (
    alert_id        uuid        PRIMARY KEY,     -- derived from the breach: a replay gives the same
    dedupe_key      text        NOT NULL,        -- sla:<ticket>:<metric>:<cycle>
    kind            text        NOT NULL CHECK (kind IN ('breach', 'warning')),
    state           text        NOT NULL CHECK (state IN ('firing', 'acknowledged', 'resolved')),
    ticket_id       uuid        NOT NULL,
    number          bigint,
    metric          text        NOT NULL,
    cycle           integer     NOT NULL,
    priority        text        NOT NULL,
    policy_id       text        NOT NULL,
    policy_version  integer     NOT NULL,
    group_id        text,
    agent_id        text,
    due_at          timestamptz NOT NULL,
    breached_at     timestamptz,
    detected_at     timestamptz NOT NULL,
    opened_at       timestamptz NOT NULL,
    acknowledged_at timestamptz,
    acknowledged_by text,
    resolved_at     timestamptz,
    resolution      text
);
CREATE INDEX alerts_open ON alerts (dedupe_key) WHERE state <> 'resolved';
CREATE INDEX alerts_opened_at ON alerts (opened_at DESC, alert_id DESC);
CREATE INDEX alerts_ticket ON alerts (ticket_id);

CREATE TABLE deliveries (
    delivery_id     uuid        PRIMARY KEY,     -- the receiver's idempotency key
    alert_id        uuid        REFERENCES alerts, -- null: a summary of many
    sink            text        NOT NULL,
    action          text        NOT NULL CHECK (action IN ('trigger', 'acknowledge', 'resolve', 'summary')),
    step            smallint    NOT NULL,        -- order within one alert and sink
    status          text        NOT NULL DEFAULT 'waiting'
                                CHECK (status IN ('waiting', 'claimed', 'grouped', 'delivered', 'dead')),
    attempts        integer     NOT NULL DEFAULT 0,
    next_attempt_at timestamptz NOT NULL,
    claimed_until   timestamptz,
    summary_id      uuid        REFERENCES deliveries, -- the summary that speaks for this one (storm cap)
    created_at      timestamptz NOT NULL,
    delivered_at    timestamptz,
    refresh_at      timestamptz                  -- sinks that forget: when to say it again
);
CREATE INDEX deliveries_due ON deliveries (sink, next_attempt_at) WHERE status IN ('waiting', 'claimed');
CREATE INDEX deliveries_alert ON deliveries (alert_id, sink, step);
CREATE INDEX deliveries_summary ON deliveries (summary_id) WHERE summary_id IS NOT NULL;
CREATE INDEX deliveries_recent ON deliveries (sink, delivered_at) WHERE status = 'delivered';
CREATE INDEX deliveries_refresh ON deliveries (sink, refresh_at) WHERE refresh_at IS NOT NULL;

-- The delivery log: each attempt, never a body, an address or a secret.
CREATE TABLE delivery_attempts (
    delivery_id  uuid             NOT NULL REFERENCES deliveries,
    attempt      integer          NOT NULL,
    attempted_at timestamptz      NOT NULL,
    seconds      double precision NOT NULL,
    http_status  integer,
    error        text,
    PRIMARY KEY (delivery_id, attempt)
);
