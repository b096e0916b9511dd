/*
number = 1
label = { en = "The office's month", ar = "الجدول الشهري للمكتب" }
about = { en = "What the office and its charities did: this period, the one before, the year so far, a year ago.", ar = "ما أنجزه المكتب وجمعياته: الفترة والتي قبلها ومنذ بداية السنة وقبل سنة." }
constants = { org = "#org", unit = "#adm1+code", month = "#date+month" }

[columns]
group = { en = "Work", ar = "المجال", kind = "word", hxl = "#activity+type", screen = false }
figure = { en = "Figure", ar = "البيان", kind = "word", hxl = "#indicator+name" }
this = { en = "Period", ar = "الفترة", kind = "count", hxl = "#indicator+value+num" }
last = { en = "Before", ar = "السابقة", kind = "count", hxl = "#indicator+value+num+before", as_issued = ["this", 1] }
ytd = { en = "In the year", ar = "منذ بداية السنة", kind = "count", hxl = "#indicator+value+num+ytd", only = "month" }
same = { en = "Year ago", ar = "قبل سنة", kind = "count", hxl = "#indicator+value+num+year_ago", only = "month", as_issued = ["this", 12] }
months = { en = "12 months", ar = "12 شهراً", kind = "trend" }
f = { en = "Women", ar = "نساء", kind = "count", hxl = "#reached+f", screen = false }
m = { en = "Men", ar = "رجال", kind = "count", hxl = "#reached+m", screen = false }

[words]
statements = { en = "Statements issued", ar = "إفادات صادرة" }
taaffuf = { en = "Reticent-need cases found", ar = "حالات تعفف" }
charity_sent = { en = "Referred to charities", ar = "إحالات إلى الجمعيات" }
charity_accepted = { en = "  of these accepted", ar = "  منها مقبولة" }
charity_done = { en = "  of these done", ar = "  منها منجزة" }
repair_sent = { en = "Home-repair referrals", ar = "إحالات ترميم المنازل" }
repair_finished = { en = "  of these finished", ar = "  منها منتهية" }
joint = { en = "Joint events and initiatives", ar = "فعاليات ومبادرات مشتركة" }
workshops = { en = "Workshops at charities", ar = "ورش عمل في الجمعيات" }
corners_new = { en = "Corners activated", ar = "أركان مفعّلة" }
corners_active = { en = "Corners active at the end", ar = "أركان عاملة في نهاية الفترة" }
served = { en = "People served in corners", ar = "المخدومون في الأركان" }
served_f = { en = "  women", ar = "  مواطنات" }
served_m = { en = "  men", ar = "  مواطنون" }
served_unnamed = { en = "  of these unnamed", ar = "  منهم دون اسم" }
researchers = { en = "Researchers active", ar = "الباحثون الاجتماعيون العاملون" }
charities = { en = "Charities active", ar = "جمعيات عاملة" }
statement = { en = "Statements", ar = "الإفادات" }
finding = { en = "Findings", ar = "الرصد" }
referral = { en = "Referrals", ar = "الإحالات" }
event = { en = "Events", ar = "الفعاليات" }
corner = { en = "Corners", ar = "الأركان" }
*/
WITH
  line (at, work, figure) AS (VALUES
    (1, 'statement', 'statements'), (2, 'finding', 'taaffuf'), (3, 'referral', 'charity_sent'),
    (4, 'referral', 'charity_accepted'), (5, 'referral', 'charity_done'), (6, 'referral', 'repair_sent'),
    (7, 'referral', 'repair_finished'), (8, 'event', 'joint'), (9, 'event', 'workshops'), (10, 'corner', 'corners_new'),
    (11, 'corner', 'corners_active'), (12, 'corner', 'served'), (13, 'corner', 'served_f'), (14, 'corner', 'served_m'),
    (15, 'corner', 'served_unnamed'), (16, 'corner', 'researchers'), (17, 'corner', 'charities')),
  sent AS MATERIALIZED (
    SELECT id, kind, to_org, state, sent_on, in_review FROM referral WHERE sent_on IS NOT NULL AND state <> 'draft'),
  -- a visit names somebody, or counts people whose names nobody asked for
  visit AS MATERIALIZED (
    SELECT v.served_on, v.person, v.sex, v.researcher, c.host, v.in_review,
      CASE WHEN v.person IS NULL THEN coalesce(nullif(v.unnamed, 0), 1) ELSE coalesce(v.unnamed, 0) END AS unnamed
    FROM corner_visit AS v LEFT JOIN corner AS c ON c.id = v.corner
    WHERE v.served_on >= (SELECT min(since) FROM period)),
  -- whatever a charity had a part in, by the day on which it had it
  part (day, org, in_review) AS (
    SELECT issued_on, requested_by, in_review FROM statement WHERE state IN ('issued', 'answered')
    UNION ALL SELECT found_on, found_by, in_review FROM taaffuf_finding
    UNION ALL SELECT sent_on, to_org, in_review FROM sent
    UNION ALL SELECT held_on, host, in_review FROM event
    UNION ALL SELECT event.held_on, unhex(value, '-'), event.in_review FROM event, json_each(event.partners)
    UNION ALL SELECT activated_on, host, in_review FROM corner WHERE state <> 'planned'
    UNION ALL SELECT served_on, host, in_review FROM visit),
  -- each counts its distinct ids, and `n` for those without one
  fact (figure, day, id, n, sex, in_review) AS (
    SELECT 'statements', issued_on, id, 0, NULL, in_review FROM statement WHERE state IN ('issued', 'answered')
    UNION ALL SELECT 'taaffuf', found_on, id, 0, NULL, in_review FROM taaffuf_finding
    UNION ALL SELECT 'charity_sent', sent_on, id, 0, NULL, in_review FROM sent WHERE kind = 'charity_help'
    UNION ALL SELECT 'charity_accepted', sent_on, id, 0, NULL, in_review FROM sent
      WHERE kind = 'charity_help' AND state IN ('accepted', 'in_progress', 'done')
    UNION ALL SELECT 'charity_done', sent_on, id, 0, NULL, in_review FROM sent
      WHERE kind = 'charity_help' AND state = 'done'
    UNION ALL SELECT 'repair_sent', sent_on, id, 0, NULL, in_review FROM sent WHERE kind = 'home_repair'
    UNION ALL SELECT 'repair_finished', sent_on, id, 0, NULL, in_review FROM sent
      WHERE kind = 'home_repair'
      AND (state = 'done' OR id IN (SELECT referral FROM home_repair WHERE state = 'finished'))
    UNION ALL SELECT 'joint', held_on, id, 0, NULL, in_review FROM event
      WHERE json_array_length(partners) >= 2 AND held_on <= :as_at
    UNION ALL SELECT 'workshops', held_on, id, 0, NULL, in_review FROM event
      WHERE kind IN ('workshop', 'training') AND held_on <= :as_at
      AND host IN (SELECT id FROM organisation WHERE kind = 'charity')
    UNION ALL SELECT 'corners_new', activated_on, id, 0, NULL, in_review FROM corner WHERE state <> 'planned'
    UNION ALL SELECT 'served', served_on, person, unnamed, sex, in_review FROM visit
    UNION ALL SELECT 'served_f', served_on, person, unnamed, NULL, in_review FROM visit WHERE sex = 'f'
    UNION ALL SELECT 'served_m', served_on, person, unnamed, NULL, in_review FROM visit WHERE sex = 'm'
    UNION ALL SELECT 'served_unnamed', served_on, NULL, unnamed, NULL, in_review FROM visit WHERE unnamed > 0
    UNION ALL SELECT 'researchers', served_on, researcher, 0, NULL, in_review FROM visit
    UNION ALL SELECT 'charities', day, org, 0, NULL, in_review FROM part
      WHERE org IN (SELECT id FROM organisation WHERE kind = 'charity')),
  counted AS MATERIALIZED (
    SELECT fact.figure, period.name AS span, count(DISTINCT fact.id) + sum(fact.n) AS n,
      count(DISTINCT fact.id) FILTER (WHERE fact.sex = 'f') + coalesce(sum(fact.n) FILTER (WHERE fact.sex = 'f'), 0) AS f,
      count(DISTINCT fact.id) FILTER (WHERE fact.sex = 'm') + coalesce(sum(fact.n) FILTER (WHERE fact.sex = 'm'), 0) AS m,
      sum(fact.in_review) AS in_review
    FROM fact JOIN period ON fact.day >= period.since AND fact.day < period.until GROUP BY 1, 2
    UNION ALL
    SELECT 'corners_active', period.name, count(*), 0, 0, sum(corner.in_review)
    FROM corner JOIN period ON corner.activated_on < period.until WHERE corner.state = 'active' GROUP BY 2)
SELECT line.work AS "group", line.figure,
  coalesce(max(n) FILTER (WHERE span = 'this'), 0) AS this,
  coalesce(max(n) FILTER (WHERE span = 'last'), 0) AS last,
  coalesce(max(n) FILTER (WHERE span = 'ytd'), 0) AS ytd,
  coalesce(max(n) FILTER (WHERE span = 'same'), 0) AS same,
  (SELECT json_group_array(coalesce(c.n, 0) ORDER BY p.name)
   FROM period AS p LEFT JOIN counted AS c ON c.figure = line.figure AND c.span = p.name
   WHERE p.name LIKE 'm__') AS months,
  CASE line.figure WHEN 'served' THEN coalesce(max(f) FILTER (WHERE span = 'this'), 0) END AS f,
  CASE line.figure WHEN 'served' THEN coalesce(max(m) FILTER (WHERE span = 'this'), 0) END AS m,
  max(in_review) FILTER (WHERE span = 'this') AS in_review
FROM line LEFT JOIN counted ON counted.figure = line.figure
GROUP BY line.at ORDER BY line.at
