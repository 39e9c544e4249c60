-- Promises that an operator must look at: no deadline can be found (rule C9), or a fact came too late to take the
-- breach back by itself (S20).
ALTER TABLE sla_cycles
    ADD COLUMN unschedulable_reason text,
    ADD COLUMN needs_review         boolean NOT NULL DEFAULT false;
