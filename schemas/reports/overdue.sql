/*
number = 5
label = { en = "Overdue", ar = "المتأخرات" }
about = { en = "What should have been done by the last day of the period, by worker, the oldest first.", ar = "ما كان يجب إنجازه حتى آخر يوم من الفترة، بحسب الباحث الاجتماعي، الأقدم أولاً." }

[columns]
worker = { en = "Worker", ar = "الباحث الاجتماعي", kind = "text", leaves = false }
what = { en = "What", ar = "المتأخر", kind = "word" }
about = { en = "About", ar = "صاحب السجل", kind = "text", leaves = false, key = false }
record = { en = "Of", ar = "السجل", kind = "code", leaves = false }
due = { en = "Due", ar = "الموعد", kind = "date" }
days = { en = "Days late", ar = "أيام التأخر", kind = "number", bar = true }

[words]
follow_up = { en = "visit", ar = "زيارة" }
assessment = { en = "assessment", ar = "تقييم" }
plan = { en = "plan review", ar = "مراجعة خطة" }
referral = { en = "referral unanswered", ar = "إحالة دون رد" }
action = { en = "corrective action", ar = "إجراء تصحيحي" }
instalment = { en = "loan instalment", ar = "قسط قرض" }
consent = { en = "consent ends", ar = "موافقة تنتهي" }
*/
WITH
  followed AS MATERIALIZED (SELECT id, code, person, worker, state, risk, opened_on, in_review FROM [case]),
  assessed AS MATERIALIZED (
    SELECT DISTINCT [case] AS id FROM assessment WHERE state NOT IN ('draft', 'returned') AND done_on <= :as_at),
  paid AS MATERIALIZED (SELECT project, sum(amount) AS amount FROM repayment WHERE paid_on <= :as_at GROUP BY 1),
  late (what, worker, record, about, due, in_review) AS (
    SELECT 'follow_up', f.worker, coalesce(c.code, f.code), c.person, f.due_on, f.in_review
      FROM follow_up AS f LEFT JOIN followed AS c ON c.id = f.[case]
      WHERE f.due_on < :as_at AND (f.state IN ('planned', 'missed') OR f.done_on > :as_at)
    UNION ALL
    SELECT 'assessment', worker, code, person,
      date(opened_on, CASE risk WHEN 'emergency' THEN '+1 day' WHEN 'high' THEN '+3 days' WHEN 'medium' THEN '+7 days' ELSE '+14 days' END),
      in_review
      FROM followed WHERE state IN ('identified', 'registered') AND id NOT IN (SELECT id FROM assessed WHERE id IS NOT NULL)
    UNION ALL
    SELECT 'plan', c.worker, coalesce(c.code, p.code), c.person, p.review_on, p.in_review
      FROM plan AS p LEFT JOIN followed AS c ON c.id = p.[case] WHERE p.state IN ('approved', 'active')
    UNION ALL
    SELECT 'referral', c.worker, r.code, r.person,
      date(r.sent_on, CASE r.urgency WHEN 'emergency' THEN '+1 day' WHEN 'urgent' THEN '+3 days' ELSE '+14 days' END), r.in_review
      FROM referral AS r LEFT JOIN followed AS c ON c.id = r.[case]
      WHERE r.state = 'sent' OR (r.sent_on IS NOT NULL AND r.state <> 'draft' AND r.answered_on > :as_at)
    UNION ALL
    SELECT 'action', NULL, a.code, i.institution, a.due_on, a.in_review
      FROM corrective_action AS a LEFT JOIN inspection AS i ON i.id = a.inspection
      WHERE a.done_on IS NULL OR a.done_on > :as_at
    UNION ALL
    SELECT 'instalment', NULL, m.code, m.person,
      date(m.first_due_on, '+' || CAST(coalesce(paid.amount, 0) / m.instalment AS INTEGER) || ' months'), m.in_review
      FROM microproject AS m LEFT JOIN paid ON paid.project = m.id
      WHERE m.state IN ('disbursed', 'repaying', 'defaulted') AND m.finance = 'soft_loan' AND m.instalment > 0
      AND coalesce(paid.amount, 0) < m.amount),
  all_late AS (
    SELECT *, CAST(julianday(:as_at) - julianday(due) AS INTEGER) AS days FROM late WHERE due < :as_at
    UNION ALL
    SELECT 'consent', NULL, coalesce(p.code, c.code), c.subject, c.expires_on, c.in_review, CAST(julianday(:as_at) - julianday(c.expires_on) AS INTEGER)
      FROM consent AS c LEFT JOIN person AS p ON p.id = c.subject
      WHERE c.state = 'given' AND c.expires_on <= date(:as_at, '+30 days'))
SELECT worker, what, about, record, due, days, in_review FROM (
  SELECT coalesce(w.name, CASE typeof(l.worker) WHEN 'text' THEN l.worker END, '') AS worker, l.what, l.record, l.due, l.days, l.in_review,
    coalesce(trim(coalesce(p.given || ' ', '') || coalesce(p.father || ' ', '') || coalesce(p.family, '')), i.name_ar) AS about
  FROM all_late AS l LEFT JOIN worker AS w ON w.id = l.worker LEFT JOIN person AS p ON p.id = l.about
    LEFT JOIN institution AS i ON i.id = l.about)
ORDER BY worker = '', worker, due, what, record
