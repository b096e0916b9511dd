/*
number = 9
label = { en = "Institutions", ar = "مؤسسات الرعاية" }
about = { en = "Each home on the last day of the period: residents, grade, posts, what is to be corrected, violations.", ar = "كل دار في آخر يوم من الفترة: النزلاء والدرجة والوظائف وما يجب تصحيحه والانتهاكات." }
sealed = true

[columns]
name = { en = "Institution", ar = "الدار", kind = "text" }
kind = { en = "Kind", ar = "النوع", kind = "choice", of = "institution.kind" }
capacity = { en = "Beds", ar = "السعة", kind = "count" }
residents = { en = "In", ar = "نزلاء", kind = "count" }
full = { en = "% full", ar = "٪ إشغال", kind = "share", whole = "residents", bar = true }
grade = { en = "Grade", ar = "درجة", kind = "text" }
before = { en = "Before", ar = "قبلها", kind = "text" }
actions = { en = "To correct", ar = "للتصحيح", kind = "count" }
needed = { en = "Posts", ar = "وظائف", kind = "count" }
filled = { en = "Filled", ar = "مشغولة", kind = "count" }
reports = { en = "Viol.", ar = "بلاغات", kind = "count" }
open = { en = "Viol. open", ar = "بلاغات مفتوحة", kind = "count", screen = false }
days = { en = "Days to act", ar = "أيام حتى الإجراء", kind = "number", screen = false }
to_family = { en = "Left to family", ar = "خروج إلى الأسرة", kind = "count", screen = false }
to_home = { en = "Left to foster or kafala", ar = "خروج إلى كفالة", kind = "count", screen = false }
to_other = { en = "Left elsewhere", ar = "خروج إلى غيرها", kind = "count", screen = false }
*/
WITH
  stay AS MATERIALIZED (SELECT institution, person, from_date, to_date, exit_to, in_review FROM placement),
  living AS (
    SELECT institution, count(DISTINCT person) AS n, sum(in_review) AS in_review FROM stay
    WHERE from_date <= :as_at AND (to_date IS NULL OR to_date > :as_at) GROUP BY 1),
  gone AS (
    SELECT institution, sum(in_review) AS in_review, sum(exit_to = 'family') AS family, sum(exit_to IN ('foster', 'kafala')) AS home,
      sum(exit_to NOT IN ('family', 'foster', 'kafala')) AS other
    FROM stay WHERE to_date >= :since AND to_date < :until GROUP BY 1),
  marks AS MATERIALIZED (
    SELECT i.id, i.institution, i.done_on, 100.0 * sum(s.score) / (4.0 * count(s.score)) AS points,
      i.in_review OR max(s.in_review) AS in_review
    FROM inspection AS i JOIN inspection_score AS s ON s.inspection = i.id
    WHERE i.state IN ('reviewed', 'published') AND i.done_on <= :as_at GROUP BY i.id),
  graded AS MATERIALIZED (
    SELECT institution, in_review, CASE WHEN points >= 85 THEN 'A' WHEN points >= 70 THEN 'B' WHEN points >= 50 THEN 'C' ELSE 'D' END AS grade,
      row_number() OVER (PARTITION BY institution ORDER BY done_on DESC, id DESC) AS at
    FROM marks),
  todo AS (
    SELECT i.institution, count(*) AS n, sum(a.in_review) AS in_review FROM corrective_action AS a JOIN inspection AS i ON i.id = a.inspection
    WHERE a.done_on IS NULL OR a.done_on > :as_at GROUP BY 1),
  post AS (SELECT institution, sum(needed) AS needed, sum(coalesce(filled, 0)) AS filled, sum(in_review) AS in_review FROM institution_post GROUP BY 1),
  seen AS (
    SELECT institution, sum(in_review) AS in_review, sum(seen_on >= :since AND seen_on < :until) AS n, sum(state NOT IN ('closed', 'unfounded', 'acted')) AS open,
      avg(CASE WHEN acted_on >= :since AND acted_on < :until THEN julianday(acted_on) - julianday(seen_on) END) AS days
    FROM violation_report WHERE seen_on <= :as_at GROUP BY 1)
SELECT i.name_ar AS name, i.kind, i.capacity, coalesce(living.n, 0) AS residents, 100.0 * coalesce(living.n, 0) / nullif(i.capacity, 0) AS full,
  coalesce(now.grade, '') AS grade, coalesce(earlier.grade, '') AS before, coalesce(todo.n, 0) AS actions,
  coalesce(post.needed, 0) AS needed, coalesce(post.filled, 0) AS filled, coalesce(seen.n, 0) AS reports, coalesce(seen.open, 0) AS open,
  round(seen.days, 1) AS days, coalesce(gone.family, 0) AS to_family, coalesce(gone.home, 0) AS to_home, coalesce(gone.other, 0) AS to_other,
  i.in_review + coalesce(living.in_review, 0) + coalesce(gone.in_review, 0) + coalesce(now.in_review, 0) + coalesce(earlier.in_review, 0)
    + coalesce(todo.in_review, 0) + coalesce(post.in_review, 0) + coalesce(seen.in_review, 0) AS in_review
FROM institution AS i
LEFT JOIN living ON living.institution = i.id LEFT JOIN gone ON gone.institution = i.id
LEFT JOIN graded AS now ON now.institution = i.id AND now.at = 1 LEFT JOIN graded AS earlier ON earlier.institution = i.id AND earlier.at = 2
LEFT JOIN todo ON todo.institution = i.id LEFT JOIN post ON post.institution = i.id LEFT JOIN seen ON seen.institution = i.id
WHERE i.state <> 'closed' ORDER BY i.name_ar
