/*
number = 3
label = { en = "Coverage, nobody counted twice", ar = "التغطية دون عدّ مكرر" }
about = { en = "People registered in need, and those whom any organisation reached in the period.", ar = "المسجلون المحتاجون، ومن وصلت إليهم أي جهة في الفترة." }

[columns]
by = { en = "By", ar = "بحسب", kind = "word", hxl = "#indicator+name" }
value = { en = "Who", ar = "الفئة", kind = "word", of = "person.groups", hxl = "#indicator+category" }
need = { en = "In need", ar = "محتاجون", kind = "count", hxl = "#inneed", parts = ["reached", "gap"] }
reached = { en = "Reached", ar = "وصلتهم", kind = "count", hxl = "#reached", parts = ["f", "m"] }
f = { en = "Women", ar = "إناث", kind = "count", hxl = "#reached+f" }
m = { en = "Men", ar = "ذكور", kind = "count", hxl = "#reached+m" }
gap = { en = "Gap", ar = "الفجوة", kind = "count", hxl = "#inneed+gap" }
share = { en = "%", ar = "٪", kind = "share", whole = "need", bar = true }

[words]
sex = { en = "Sex", ar = "الجنس" }
age = { en = "Age", ar = "العمر" }
disability = { en = "Disability", ar = "الإعاقة" }
group = { en = "Group", ar = "الفئة" }
place = { en = "Place", ar = "المكان" }
total = { en = "All", ar = "الكل" }
f = { en = "female", ar = "إناث" }
m = { en = "male", ar = "ذكور" }
unknown = { en = "unknown", ar = "غير معروف" }
yes = { en = "with", ar = "ذوو إعاقة" }
no = { en = "without", ar = "دون إعاقة" }
a00 = { en = "0-5", ar = "0-5" }
a06 = { en = "6-11", ar = "6-11" }
a12 = { en = "12-17", ar = "12-17" }
a18 = { en = "18-59", ar = "18-59" }
a60 = { en = "60+", ar = "60+" }
*/
WITH
  home AS MATERIALIZED (
    SELECT id, location, groups, in_review FROM household WHERE state NOT IN ('inactive', 'merged', 'dissolved')),
  given (id, in_review) AS MATERIALIZED (
    SELECT person, in_review FROM service WHERE given_on >= :since AND given_on < :until AND outcome IN ('given', 'partly')
    UNION ALL SELECT recipient, in_review FROM benefit
      WHERE period >= substr(:since, 1, 7) AND period < substr(:until, 1, 7) AND state IN ('issued', 'received')),
  got AS MATERIALIZED (SELECT DISTINCT id FROM given),
  disputed AS MATERIALIZED (SELECT id FROM given WHERE in_review),
  -- what a household gets reaches all who live in it
  somebody AS MATERIALIZED (
    SELECT h.location, h.groups AS home_groups, p.groups, coalesce(p.sex, 'unknown') AS sex,
      CASE
        WHEN p.birth_date IS NULL THEN 'unknown'
        WHEN p.birth_date > date(:as_at, '-6 years') THEN 'a00'
        WHEN p.birth_date > date(:as_at, '-12 years') THEN 'a06'
        WHEN p.birth_date > date(:as_at, '-18 years') THEN 'a12'
        WHEN p.birth_date > date(:as_at, '-60 years') THEN 'a18'
        ELSE 'a60'
      END AS age,
      CASE
        WHEN '3' IN (p.wg_see, p.wg_hear, p.wg_walk, p.wg_mind, p.wg_self, p.wg_comm)
          OR '4' IN (p.wg_see, p.wg_hear, p.wg_walk, p.wg_mind, p.wg_self, p.wg_comm) THEN 'yes'
        WHEN coalesce(p.wg_see, p.wg_hear, p.wg_walk, p.wg_mind, p.wg_self, p.wg_comm) IS NULL THEN 'unknown'
        ELSE 'no'
      END AS disability,
      p.id IN (SELECT id FROM got) OR h.id IN (SELECT id FROM got) AS reached,
      p.in_review OR h.in_review OR p.id IN (SELECT id FROM disputed) OR h.id IN (SELECT id FROM disputed) AS in_review
    FROM person AS p JOIN home AS h ON h.id = p.household
    WHERE p.alive IS NULL OR p.alive = 'alive'),
  cell AS MATERIALIZED (
    SELECT sex, age, disability, location, count(*) AS need, sum(reached) AS reached,
      sum(reached AND sex = 'f') AS f, sum(reached AND sex = 'm') AS m, sum(in_review) AS in_review
    FROM somebody GROUP BY 1, 2, 3, 4),
  -- those with the same groups are counted once for all of these
  alike AS MATERIALIZED (
    SELECT home_groups, groups, count(*) AS need, sum(reached) AS reached, sum(reached AND sex = 'f') AS f,
      sum(reached AND sex = 'm') AS m, sum(in_review) AS in_review
    FROM somebody WHERE home_groups <> '[]' OR groups <> '[]' GROUP BY 1, 2),
  grouped AS (
    SELECT one.value, a.* FROM alike AS a, json_each(a.home_groups) AS one
    UNION ALL SELECT one.value, a.* FROM alike AS a, json_each(a.groups) AS one
      WHERE a.home_groups IS NULL OR one.value NOT IN (SELECT value FROM json_each(a.home_groups))),
  long (at, by, value, need, reached, f, m, in_review) AS (
    SELECT 1, 'sex', sex, need, reached, f, m, in_review FROM cell
    UNION ALL SELECT 2, 'age', age, need, reached, f, m, in_review FROM cell
    UNION ALL SELECT 3, 'disability', disability, need, reached, f, m, in_review FROM cell
    UNION ALL SELECT 4, 'group', value, need, reached, f, m, in_review FROM grouped
    UNION ALL SELECT 5, 'place', coalesce(l.name_ar, cell.location, 'unknown'), need, reached, f, m, cell.in_review
      FROM cell LEFT JOIN location AS l ON l.id = cell.location),
  summed AS (
    SELECT at, by, value, 0 AS last, sum(need) AS need, sum(reached) AS reached, sum(f) AS f, sum(m) AS m, sum(in_review) AS in_review
    FROM long GROUP BY at, by, value
    UNION ALL
    SELECT at, by, 'total', 1, sum(need), sum(reached), sum(f), sum(m), sum(in_review) FROM long WHERE at <> 4 GROUP BY at, by)
SELECT by, value, need, reached, f, m, need - reached AS gap, 100.0 * reached / nullif(need, 0) AS share, in_review
FROM summed ORDER BY at, last, CASE WHEN at < 4 THEN value END, need DESC, value
