/*
number = 6
label = { en = "Caseload", ar = "عبء الحالات" }
about = { en = "Open cases of each worker on the last day of the period, by risk and stage; who has too many.", ar = "الحالات المفتوحة لكل باحث اجتماعي في آخر يوم من الفترة بحسب الخطورة والمرحلة؛ ومن زاد عبؤه." }

[columns]
worker = { en = "Worker", ar = "الباحث الاجتماعي", kind = "text", leaves = false }
band = { en = "Band", ar = "الشريحة", kind = "word" }
open = { en = "Open", ar = "مفتوحة", kind = "count", bar = true }
low = { en = "Low", ar = "منخفضة", kind = "count" }
medium = { en = "Medium", ar = "متوسطة", kind = "count" }
high = { en = "High", ar = "مرتفعة", kind = "count" }
emergency = { en = "Emerg.", ar = "طارئة", kind = "count" }
new = { en = "New", ar = "جديدة", kind = "count" }
closed = { en = "Closed", ar = "مغلقة", kind = "count" }
team = { en = "Team", ar = "الفريق", kind = "count" }
early = { en = "Before planning", ar = "قبل الخطة", kind = "count", screen = false }
served = { en = "In service", ar = "قيد الخدمة", kind = "count", screen = false }
ending = { en = "Closing", ar = "قيد الإغلاق", kind = "count", screen = false }

[words]
b00 = { en = "0-9", ar = "0-9" }
b10 = { en = "10-19", ar = "10-19" }
b20 = { en = "20-29", ar = "20-29" }
b30 = { en = "30+ over limit", ar = "30+ فوق الحد" }
*/
WITH
  kept AS MATERIALIZED (
    SELECT id, worker, risk, state, opened_on, closed_on, in_review,
      opened_on <= :as_at AND (state NOT IN ('closed', 'duplicate') OR (state = 'closed' AND closed_on > :as_at)) AS open
    FROM [case]),
  per AS (
    SELECT worker, sum(open) AS open, sum(open AND risk = 'low') AS low, sum(open AND risk = 'medium') AS medium,
      sum(open AND risk = 'high') AS high, sum(open AND risk = 'emergency') AS emergency,
      sum(open AND state IN ('identified', 'registered', 'assessed', 'transferred')) AS early,
      sum(open AND state IN ('planned', 'in_service', 'monitoring')) AS served, sum(open AND state IN ('closing', 'closed')) AS ending,
      sum(opened_on >= :since AND opened_on < :until) AS new,
      sum(state = 'closed' AND closed_on >= :since AND closed_on < :until) AS closed, 
      sum((open OR opened_on >= :since OR closed_on >= :since) AND in_review) AS in_review
    FROM kept GROUP BY 1),
  team AS (SELECT supervisor AS id, count(*) AS n FROM worker WHERE coalesce(active, 1) AND supervisor IS NOT NULL GROUP BY 1),
  everyone (id) AS (SELECT worker FROM per UNION SELECT id FROM team)
SELECT coalesce(w.name, CASE typeof(e.id) WHEN 'text' THEN e.id END, '') AS worker,
  CASE WHEN coalesce(open, 0) < 10 THEN 'b00' WHEN open < 20 THEN 'b10' WHEN open < 30 THEN 'b20' ELSE 'b30' END AS band,
  coalesce(open, 0) AS open, coalesce(low, 0) AS low, coalesce(medium, 0) AS medium, coalesce(high, 0) AS high,
  coalesce(emergency, 0) AS emergency, coalesce(new, 0) AS new, coalesce(closed, 0) AS closed, coalesce(team.n, 0) AS team,
  coalesce(early, 0) AS early, coalesce(served, 0) AS served, coalesce(ending, 0) AS ending, per.in_review
FROM everyone AS e LEFT JOIN per ON per.worker IS e.id LEFT JOIN team ON team.id = e.id LEFT JOIN worker AS w ON w.id = e.id
WHERE coalesce(open, 0) + coalesce(new, 0) + coalesce(closed, 0) + coalesce(team.n, 0) > 0
ORDER BY open DESC, worker
