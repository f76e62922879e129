"""What agents did with their offers: one definition, for the day's report and an agent's own figures."""

from __future__ import annotations

# Offers and talk per agent leg, from the events. The end of a leg tells its talk; where it does not (version
# 0.1.0), it ran from ``answered`` to ``offer_ended``. ``day`` leaves other months' partitions alone.
# The talks of a call that is accounted for from CEL are the legs of that account.
LEGS = """
WITH from_cel AS (
    SELECT call_id, legs FROM call_account
    WHERE source = 'cel' AND arrived_at >= CAST(:start AS timestamptz) - interval '1 day'
      AND arrived_at < :stop
), leg AS (
    SELECT leg ->> 'agent' AS agent, (leg ->> 'to')::timestamptz AS ended, (leg ->> 'talk_s')::float AS talk_s
    FROM from_cel, jsonb_array_elements(legs) AS leg
)
SELECT agent, sum(answered)::bigint AS answered, sum(missed)::bigint AS missed,
       sum(refused)::bigint AS refused, sum(busy)::bigint AS busy, sum(unreachable)::bigint AS unreachable,
       sum(withdrawn)::bigint AS withdrawn, sum(transferred)::bigint AS transferred,
       sum(talk_s) AS talk_s, sum(hold_s) AS hold_s
FROM (
SELECT agent, count(*) AS answered, 0 AS missed, 0 AS refused, 0 AS busy, 0 AS unreachable, 0 AS withdrawn,
       0 AS transferred, sum(talk_s) AS talk_s, 0 AS hold_s
FROM leg
WHERE agent IS NOT NULL AND ended >= :start AND ended < :stop
GROUP BY 1
UNION ALL
SELECT e.data ->> 'agent' AS agent,
       count(*) FILTER (WHERE e.data ->> 'result' = 'talked') AS answered,
       count(*) FILTER (WHERE e.data ->> 'result' IN ('missed', 'not_confirmed')) AS missed,
       count(*) FILTER (WHERE e.data ->> 'result' = 'refused') AS refused,
       count(*) FILTER (WHERE e.data ->> 'result' = 'busy') AS busy,
       count(*) FILTER (WHERE e.data ->> 'result' = 'unreachable') AS unreachable,
       count(*) FILTER (WHERE e.data ->> 'result' IN ('withdrawn', 'elsewhere')) AS withdrawn,
       count(*) FILTER (WHERE e.data ->> 'end' IN ('blind', 'attended', 'blonde', 'park', 'unseen'))
           AS transferred,
       coalesce(sum(coalesce((e.data ->> 'talk_s')::float, extract(epoch FROM e.at - a.at))), 0)::float
           AS talk_s,
       coalesce(sum((e.data ->> 'hold_s')::float), 0)::float AS hold_s
FROM call_event e
LEFT JOIN call_event a ON e.data ->> 'result' = 'talked' AND a.call_id = e.call_id AND a.kind = 'answered'
     AND a.data ->> 'offer' = e.data ->> 'offer' AND a.day BETWEEN e.day - 1 AND e.day
WHERE e.kind = 'offer_ended' AND e.at >= :start AND e.at < :stop
  AND e.day BETWEEN CAST(:start AS date) - 1 AND CAST(:stop AS date) + 1
  AND NOT (e.data ->> 'result' = 'talked' AND e.call_id IN (SELECT call_id FROM from_cel))
GROUP BY 1
) one GROUP BY 1"""
