-- Reports by mail: who gets which report for which periods, and every mail of it. Query's own, not views: a rebuild of
-- the projections leaves them alone.
CREATE TABLE report_subscriptions (
    id          text PRIMARY KEY,
    version     bigint      NOT NULL,
    document    jsonb       NOT NULL,
    created_by  text        NOT NULL,
    created_at  timestamptz NOT NULL,
    changed_by  text        NOT NULL,
    changed_at  timestamptz NOT NULL,
    next_start  date        NOT NULL,
    next_due_at timestamptz NOT NULL,
    problem     text
);
CREATE INDEX report_subscriptions_due ON report_subscriptions (next_due_at);
COMMENT ON COLUMN report_subscriptions.next_start IS 'First day, in the subscription''s time zone, of the next period to be told; next_due_at is when.';
COMMENT ON COLUMN report_subscriptions.problem IS 'Why the last report could not be made; null: it could.';

-- Whoever unsubscribed stays so, also when the subscription is written anew.
CREATE TABLE report_recipients (
    subscription_id text        NOT NULL,
    address         text        NOT NULL,
    token           text        NOT NULL UNIQUE,
    unsubscribed_at timestamptz,
    PRIMARY KEY (subscription_id, address)
);

-- One row a period and recipient decides that there is one mail; it keeps the very bytes until they are taken.
CREATE TABLE report_mails (
    subscription_id text        NOT NULL,
    period          text        NOT NULL,
    period_start    date        NOT NULL,
    recipient       text        NOT NULL,
    mail_id         text        NOT NULL UNIQUE,
    state           text        NOT NULL CHECK (state IN ('waiting', 'claimed', 'sent', 'dead')),
    attempts        integer     NOT NULL DEFAULT 0,
    next_attempt_at timestamptz NOT NULL,
    claim_id        uuid,
    claimed_until   timestamptz,
    raw             bytea,
    created_at      timestamptz NOT NULL,
    finished_at     timestamptz,
    last_error      text,
    PRIMARY KEY (subscription_id, period, period_start, recipient)
);
CREATE INDEX report_mails_due ON report_mails (next_attempt_at) WHERE state IN ('waiting', 'claimed');
