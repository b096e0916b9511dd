/*
number = 12
label = { en = "Programmes", ar = "البرامج" }
about = { en = "Insurance, safety nets, sponsorships, volunteers, events and what people said: this period, and how it stands at its end.", ar = "التأمينات وشبكات الأمان والكفالات والمتطوعون والفعاليات وما قاله الناس: في الفترة، وكيف هي في نهايتها." }

[columns]
work = { en = "Work", ar = "المجال", kind = "word" }
figure = { en = "Figure", ar = "البيان", kind = "word" }
value = { en = "Of which", ar = "منها", kind = "text" }
n = { en = "Number", ar = "العدد", kind = "count", bar = true }
target = { en = "Planned", ar = "المستهدف", kind = "count" }
share = { en = "%", ar = "٪", kind = "share", whole = "target" }

[words]
insurance = { en = "Insurance", ar = "التأمينات" }
insured = { en = "People insured", ar = "مشتركون" }
pensioners = { en = "Pensioners", ar = "متقاعدون" }
uninsured = { en = "Without insurance", ar = "غير مشتركين" }
net = { en = "Safety nets", ar = "شبكات الأمان" }
applied = { en = "Applied", ar = "متقدمون" }
refused = { en = "Not eligible", ar = "غير مستحقين" }
ended = { en = "Graduated or left", ar = "متخرجون أو خارجون" }
enrolled = { en = "Enrolled at the end", ar = "مستفيدون في النهاية" }
sponsorship = { en = "Sponsorships", ar = "الكفالات" }
sponsored = { en = "Children sponsored", ar = "أطفال مكفولون" }
lapsing = { en = "Ending within 30 days", ar = "تنتهي خلال 30 يوماً" }
volunteer = { en = "Volunteers", ar = "المتطوعون" }
begun = { en = "Duties begun", ar = "تكليفات جديدة" }
on_duty = { en = "On duty at the end", ar = "على رأس التكليف في النهاية" }
hours = { en = "Hours of these", ar = "ساعاتهم" }
event = { en = "Events", ar = "الفعاليات" }
held = { en = "Held", ar = "فعاليات" }
attended = { en = "Attendance", ar = "الحضور" }
took_part = { en = "People known who took part", ar = "مشاركون معروفون" }
recommended = { en = "Recommendations", ar = "توصيات" }
carried_out = { en = "  carried out", ar = "  منفذة" }
voice = { en = "What people said", ar = "آراء الناس" }
complaint = { en = "Complaints", ar = "شكاوى" }
thanks = { en = "Thanks", ar = "شكر" }
suggestion = { en = "Suggestions", ar = "اقتراحات" }
data_request = { en = "Requests for data", ar = "طلبات بيانات" }
*/
WITH
  line (at, work, figure) AS (VALUES
    (1, 'insurance', 'insured'), (2, 'insurance', 'pensioners'), (3, 'insurance', 'uninsured'), (4, 'net', 'applied'),
    (5, 'net', 'refused'), (6, 'net', 'ended'), (7, 'net', 'enrolled'), (8, 'sponsorship', 'sponsored'), (9, 'sponsorship', 'lapsing'),
    (10, 'volunteer', 'begun'), (11, 'volunteer', 'on_duty'), (12, 'volunteer', 'hours'), (13, 'event', 'held'), (14, 'event', 'attended'),
    (15, 'event', 'took_part'), (16, 'event', 'recommended'), (17, 'event', 'carried_out'), (18, 'voice', 'complaint'),
    (19, 'voice', 'thanks'), (20, 'voice', 'suggestion'), (21, 'voice', 'data_request')),
  duty AS MATERIALIZED (
    SELECT id, from_date, hours, in_review FROM volunteer_duty WHERE from_date < :until AND (to_date IS NULL OR to_date >= :as_at)),
  shown AS MATERIALIZED (
    SELECT id, in_review, coalesce(attended_f_0_5, 0) + coalesce(attended_f_6_11, 0) + coalesce(attended_f_12_17, 0)
      + coalesce(attended_f_18_59, 0) + coalesce(attended_f_60, 0) + coalesce(attended_m_0_5, 0) + coalesce(attended_m_6_11, 0)
      + coalesce(attended_m_12_17, 0) + coalesce(attended_m_18_59, 0) + coalesce(attended_m_60, 0) AS attended
    FROM event WHERE held_on >= :since AND held_on < :until AND held_on <= :as_at),
  -- a figure counts its distinct ids; `n` counts for those that are sums
  fact (figure, value, id, n, target, in_review) AS (
    SELECT CASE status WHEN 'active' THEN 'insured' WHEN 'pensioner' THEN 'pensioners' ELSE 'uninsured' END, NULL, person, 0, NULL, in_review
      FROM insurance_membership WHERE status IN ('active', 'pensioner', 'none')
    UNION ALL SELECT 'applied', NULL, id, 0, NULL, in_review FROM enrolment WHERE applied_on >= :since AND applied_on < :until
    UNION ALL SELECT 'refused', NULL, id, 0, NULL, in_review FROM enrolment
      WHERE state = 'not_eligible' AND decided_on >= :since AND decided_on < :until
    UNION ALL SELECT 'ended', NULL, id, 0, NULL, in_review FROM enrolment
      WHERE state IN ('graduated', 'exited') AND decided_on >= :since AND decided_on < :until
    UNION ALL SELECT 'enrolled', coalesce(p.name_ar, e.programme), e.holder, 0, p.target, e.in_review
      FROM enrolment AS e LEFT JOIN programme AS p ON p.id = e.programme WHERE e.state = 'enrolled' AND e.applied_on < :until
    UNION ALL SELECT 'sponsored', NULL, child, 0, NULL, in_review FROM sponsorship WHERE state = 'active'
    UNION ALL SELECT 'lapsing', NULL, child, 0, NULL, in_review FROM sponsorship
      WHERE state = 'active' AND ends_on >= :as_at AND ends_on <= date(:as_at, '+30 days')
    UNION ALL SELECT 'begun', NULL, id, 0, NULL, in_review FROM volunteer_duty WHERE from_date >= :since AND from_date < :until
    UNION ALL SELECT 'on_duty', NULL, id, 0, NULL, in_review FROM duty
    UNION ALL SELECT 'hours', NULL, NULL, hours, NULL, in_review FROM duty
    UNION ALL SELECT 'held', NULL, id, 0, NULL, in_review FROM shown
    UNION ALL SELECT 'attended', NULL, NULL, attended, NULL, in_review FROM shown
    UNION ALL SELECT 'took_part', NULL, person, 0, NULL, in_review FROM participation WHERE event IN (SELECT id FROM shown)
    UNION ALL SELECT 'recommended', NULL, id, 0, NULL, in_review FROM recommendation WHERE event IN (SELECT id FROM shown)
    UNION ALL SELECT 'carried_out', NULL, id, 0, NULL, in_review FROM recommendation WHERE done AND done_on >= :since AND done_on < :until
    UNION ALL SELECT kind, NULL, id, 0, NULL, in_review FROM feedback WHERE given_on >= :since AND given_on < :until)
SELECT line.work, line.figure, fact.value, count(DISTINCT fact.id) + coalesce(sum(fact.n), 0) AS n, max(fact.target) AS target,
  100.0 * count(DISTINCT fact.id) / nullif(max(fact.target), 0) AS share, sum(fact.in_review) AS in_review
FROM line LEFT JOIN fact ON fact.figure = line.figure
GROUP BY line.at, fact.value ORDER BY line.at, fact.value
