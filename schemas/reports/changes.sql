/*
number = 4
label = { en = "What changed in households", ar = "تغيّرات الأسر" }
about = { en = "Moves between places, births, deaths, marriages, splits by their date; those not verified yet apart.", ar = "الانتقال بين الأماكن والولادات والوفيات والزواج والانقسام بتاريخها؛ وما لم يُتحقق منه على حدة." }

[columns]
what = { en = "Change", ar = "التغيّر", kind = "word", of = "household_event.kind" }
from = { en = "From", ar = "من", kind = "text" }
to = { en = "To", ar = "إلى", kind = "text" }
verified = { en = "Verified", ar = "متحقق منها", kind = "count", bar = true }
reported = { en = "Reported only", ar = "مبلّغ عنها فقط", kind = "count" }

[words]
households = { en = "Households with a change", ar = "أسر طرأ عليها تغيّر" }
stale = { en = "Households unconfirmed for 12 months", ar = "أسر لم تُحدَّث منذ 12 شهراً" }
*/
WITH
  changed AS MATERIALIZED (
    SELECT id, household, kind, from_location, to_location, state, in_review FROM household_event
    WHERE event_date >= :since AND event_date < :until AND state IN ('verified', 'reported')),
  order_of (kind, at) AS (VALUES
    ('move', 1), ('birth', 2), ('death', 3), ('marriage', 4), ('divorce', 5), ('split', 6), ('merge', 7), ('join', 8),
    ('leave', 9), ('return', 10), ('head_change', 11))
SELECT c.kind AS what, coalesce(a.name_ar, a.place_code, '') AS "from", coalesce(b.name_ar, b.place_code, '') AS "to",
  sum(c.state = 'verified') AS verified, sum(c.state = 'reported') AS reported, sum(c.in_review) AS in_review, o.at AS at
FROM changed AS c LEFT JOIN order_of AS o ON o.kind = c.kind
LEFT JOIN location AS a ON a.id = c.from_location AND c.kind = 'move'
LEFT JOIN location AS b ON b.id = c.to_location AND c.kind = 'move'
GROUP BY c.kind, 2, 3
UNION ALL
SELECT 'households', '', '', count(DISTINCT household) FILTER (WHERE state = 'verified'),
  count(DISTINCT household) FILTER (WHERE household NOT IN (SELECT household FROM changed WHERE state = 'verified')), sum(in_review), 20
FROM changed
UNION ALL
SELECT 'stale', '', '', count(*), 0, sum(in_review), 21 FROM household
WHERE state IN ('registered', 'verified') AND coalesce(last_verified_on, registered_on, '') < date(:as_at, '-12 months')
ORDER BY at, verified DESC, "from", "to"
