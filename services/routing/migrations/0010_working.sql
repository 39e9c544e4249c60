-- Room by channel, priority and state (R5); what an agent has of each channel.
ALTER TABLE tickets
    ADD COLUMN channel          text NOT NULL DEFAULT 'api',
    ADD COLUMN units            double precision NOT NULL DEFAULT 0 CHECK (units >= 0),
    ADD COLUMN optional         jsonb NOT NULL DEFAULT '{}',
    ADD COLUMN step             smallint NOT NULL DEFAULT 0,
    ADD COLUMN waits_since      timestamptz,
    ADD COLUMN is_by_hand       boolean NOT NULL DEFAULT false,
    ADD COLUMN is_group_by_hand boolean NOT NULL DEFAULT false,
    ADD COLUMN is_raised        boolean NOT NULL DEFAULT false,
    ADD COLUMN offered_to       text,
    ADD COLUMN offered_at       timestamptz,
    ADD COLUMN offer_until      timestamptz,
    ADD COLUMN declined         text[] NOT NULL DEFAULT '{}',
    ADD COLUMN forgive_at       timestamptz,
    ADD COLUMN lease_until      timestamptz,
    ADD COLUMN holders          text[] NOT NULL DEFAULT '{}',
    ADD COLUMN escalation_count smallint NOT NULL DEFAULT 0,
    ADD COLUMN timer_at         timestamptz,
    ADD CONSTRAINT in_one_place CHECK (num_nonnulls(agent_id, lane, offered_to) <= 1);
COMMENT ON COLUMN tickets.units IS 'The room that it takes now, in its agent''s hands or as an offer; else 0.';
COMMENT ON COLUMN tickets.timer_at IS 'The first moment at which time alone does something to it: offer, lease, widening, declines forgotten.';

UPDATE tickets SET channel = coalesce(facts->>'channel', 'api') WHERE facts IS NOT NULL;
UPDATE tickets SET units = 1 WHERE agent_id IS NOT NULL AND category IN ('new', 'open', 'answered') AND NOT is_held;
UPDATE tickets SET holders = ARRAY[agent_id] WHERE agent_id IS NOT NULL;
UPDATE tickets SET waits_since = now() WHERE lane IS NOT NULL;

DROP INDEX tickets_waiting;
-- The order of the queue (rules R3, R16); a lane is read from its head.
CREATE INDEX tickets_waiting ON tickets (lane, is_raised DESC, rank DESC, due_at NULLS LAST, queued_at, ticket_id)
    WHERE lane IS NOT NULL;
CREATE INDEX tickets_timed ON tickets (timer_at) WHERE timer_at IS NOT NULL;
CREATE INDEX tickets_offered ON tickets (offered_to) WHERE offered_to IS NOT NULL;

ALTER TABLE agents
    ADD COLUMN channel_loads jsonb NOT NULL DEFAULT '{}',
    ADD COLUMN left_at       timestamptz,
    ADD COLUMN grace_at      timestamptz,
    ADD COLUMN expired_count integer NOT NULL DEFAULT 0;
COMMENT ON COLUMN agents.left_at IS 'Since when the agent is away, offline or off shift (R9); null while at the desk.';
UPDATE agents AS a SET channel_loads = loads.by_channel
FROM (
    SELECT agent_id, jsonb_object_agg(channel, units) AS by_channel
    FROM (SELECT agent_id, channel, sum(units) AS units FROM tickets WHERE units > 0 GROUP BY agent_id, channel) AS sums
    GROUP BY agent_id
) AS loads
WHERE loads.agent_id = a.agent_id;
UPDATE agents SET left_at = presence_since WHERE presence IN ('away', 'offline');

ALTER TABLE lanes
    ADD COLUMN channel  text NOT NULL DEFAULT '',
    ADD COLUMN units    double precision NOT NULL DEFAULT 1,
    ADD COLUMN optional jsonb NOT NULL DEFAULT '[]',
    ADD COLUMN overflow text[] NOT NULL DEFAULT '{}';

ALTER TABLE desk
    ADD COLUMN settings_version integer NOT NULL DEFAULT 0,
    ADD COLUMN settings         jsonb NOT NULL DEFAULT '{}';
