"""The queue whose agents served a caller in the fallback, in the account that is made from CEL."""

from __future__ import annotations

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

COLUMN = "ALTER TABLE cel_call ADD COLUMN queue text"

# CEL tells of bridges, not of hold.
CEL_LEGS = """coalesce((
           SELECT jsonb_agg(jsonb_build_object(
               'agent', leg -> 'agent', 'from', to_timestamp((leg ->> 'begun')::float),
               'to', to_timestamp((leg ->> 'ended')::float),
               'talk_s', (leg ->> 'ended')::float - (leg ->> 'begun')::float, 'hold_s', 0, 'end', NULL))
           FROM jsonb_array_elements(r.legs) leg), '[]')"""

VIEW = f"""
CREATE OR REPLACE VIEW call_account AS
SELECT c.call_id, c.arrived_at, c.ended_at, c.did, c.caller_kind, c.caller_e164, c.caller_raw, c.caller_name,
       c.customer_id, c.queue, c.priority, c.queued_at, c.answered_at, c.agent, c.wait_s, c.talk_s, c.hold_s,
       c.offers, c.disposition, c.ended_by, c.inferred, c.legs, c.stints,
       CASE WHEN c.inferred THEN 'inferred' ELSE 'events' END AS source
FROM call c
WHERE NOT ((c.inferred OR c.disposition = 'fallback')
           AND EXISTS (SELECT FROM cel_call r WHERE r.call_id = c.call_id AND r.source = 'cel'))
UNION ALL
SELECT c.call_id, c.arrived_at, r.ended_at, c.did, c.caller_kind, c.caller_e164, c.caller_raw, c.caller_name,
       c.customer_id, coalesce(c.queue, r.queue), c.priority, c.queued_at, r.answered_at, r.agent,
       CASE WHEN c.queued_at IS NOT NULL THEN
           greatest(0, extract(epoch FROM coalesce(r.answered_at, r.ended_at) - c.queued_at))::float
       END,
       r.talk_s, 0, c.offers,
       -- a restart of the PBX while nobody watched: whoever had hung up before it was not cut off
       CASE WHEN c.disposition = 'pbx_restart' AND r.ended_by NOT IN ('caller', 'agent') THEN c.disposition
            WHEN r.disposition = 'left' AND c.queued_at IS NOT NULL THEN 'overflowed'
            ELSE r.disposition END,
       r.ended_by, false, {CEL_LEGS}, c.stints, 'cel'
FROM call c JOIN cel_call r USING (call_id)
WHERE r.source = 'cel' AND (c.inferred OR c.disposition = 'fallback')
UNION ALL
SELECT r.call_id, r.arrived_at, r.ended_at, r.did, r.caller_kind, r.caller_e164, r.caller_raw, r.caller_name,
       r.customer_id, r.queue, 0, NULL, r.answered_at, r.agent, NULL, r.talk_s, 0, 0, r.disposition,
       r.ended_by, r.source = 'inferred', {CEL_LEGS}, '[]', r.source
FROM cel_call r
WHERE NOT EXISTS (SELECT FROM call c WHERE c.call_id = r.call_id)
  AND NOT EXISTS (SELECT FROM call_opened o WHERE o.call_id = r.call_id);
"""


def upgrade() -> None:
    op.execute(COLUMN)
    op.execute(VIEW)
