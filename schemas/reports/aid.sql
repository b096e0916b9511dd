/*
number = 2
label = { en = "Who got what from whom", ar = "من حصل على ماذا وممّن" }
about = { en = "One line for each household, kind of aid and provider; what was given twice, or may have been.", ar = "سطر لكل أسرة ونوع مساعدة وجهة؛ وما صُرف مرتين أو قد يكون كذلك." }
# another organisation sees household, kind, month and provider, and only of providers with a sharing agreement
agreement = true

[columns]
household = { en = "Household", ar = "الأسرة", kind = "code", hxl = "#meta+id" }
kind = { en = "Kind", ar = "النوع", kind = "choice", of = "benefit.kind", hxl = "#item+type" }
month = { en = "Month", ar = "الشهر", kind = "month", hxl = "#date+month" }
provider = { en = "Provider", ar = "الجهة", kind = "text", hxl = "#org+provider" }
times = { en = "Times", ar = "المرات", kind = "count", leaves = false }
mark = { en = "Double", ar = "ازدواج", kind = "word", leaves = false }

[words]
double = { en = "double: several providers", ar = "مزدوج: أكثر من جهة" }
exclusive = { en = "double: programmes exclude each other", ar = "مزدوج: برنامجان لا يجتمعان" }
twin = { en = "near: may be one household", ar = "محتمل: قد تكونان أسرة واحدة" }
review = { en = "near: in review", ar = "محتمل: قيد المراجعة" }
ok = { en = "—", ar = "—" }
*/
WITH
  given AS MATERIALIZED (
    SELECT b.id, coalesce(p.household, b.recipient) AS household, b.kind, b.period AS month, b.provider, b.enrolment, b.in_review
    FROM benefit AS b LEFT JOIN person AS p ON p.id = b.recipient
    WHERE b.period >= substr(:since, 1, 7) AND b.period < substr(:until, 1, 7) AND b.state IN ('issued', 'received')),
  home AS MATERIALIZED (
    SELECT id, code, nullif(family_book_no, '') AS book, in_review FROM household
    WHERE id IN (SELECT household FROM given)),
  doubled AS MATERIALIZED (
    SELECT household, kind, month FROM given GROUP BY 1, 2, 3 HAVING count(DISTINCT provider) > 1),
  apart (one, other) AS MATERIALIZED (
    SELECT programme.id, unhex(value, '-') FROM programme, json_each(programme.exclusive_with)),
  programmed AS MATERIALIZED (
    SELECT given.id, given.household, given.month, e.programme FROM given JOIN enrolment AS e ON e.id = given.enrolment),
  excluded (id) AS MATERIALIZED (
    SELECT a.id FROM programmed AS a JOIN programmed AS b ON b.household = a.household AND b.month = a.month
    WHERE (a.programme, b.programme) IN (SELECT one, other FROM apart) OR (b.programme, a.programme) IN (SELECT one, other FROM apart)),
  -- households that may be one: of the same booklet, or with members of whom that is suspected
  near (one, other) AS MATERIALIZED (
    SELECT a.id, b.id FROM home AS a JOIN home AS b ON b.book = a.book AND b.id <> a.id WHERE a.book IS NOT NULL
    UNION SELECT coalesce(p.household, suspect.a), coalesce(q.household, suspect.b)
      FROM suspect LEFT JOIN person AS p ON p.id = suspect.a LEFT JOIN person AS q ON q.id = suspect.b),
  twins (household, kind, month) AS MATERIALIZED (
    SELECT near.one, given.kind, given.month FROM near JOIN given ON given.household = near.other WHERE near.one <> near.other)
SELECT h.code AS household, g.kind, g.month, coalesce(o.name_ar, '') AS provider, count(*) AS times,
  CASE
    WHEN (g.household, g.kind, g.month) IN (SELECT * FROM doubled) THEN 'double'
    WHEN max(g.id IN (SELECT id FROM excluded)) THEN 'exclusive'
    WHEN (g.household, g.kind, g.month) IN (SELECT * FROM twins) THEN 'twin'
    WHEN max(g.in_review) OR h.in_review THEN 'review'
    ELSE 'ok'
  END AS mark,
  sum(g.in_review) + coalesce(h.in_review, 0) AS in_review,
  coalesce(o.agreement_until >= :as_at, 0) AS agreed
FROM given AS g LEFT JOIN home AS h ON h.id = g.household LEFT JOIN organisation AS o ON o.id = g.provider
GROUP BY g.household, g.kind, g.month, g.provider
ORDER BY mark = 'ok', mark, h.code, g.kind, g.month, provider
