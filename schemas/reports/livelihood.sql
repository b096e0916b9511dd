/*
number = 8
label = { en = "Training, work, loans", ar = "التدريب والعمل والقروض" }
about = { en = "Where trainees stand, who found work, what was lent and paid back, days of temporary work.", ar = "أين وصل المتدربون ومن وجد عملا وما أُقرض وسُدّد وأيام العمل المؤقت." }

[columns]
figure = { en = "Figure", ar = "البيان", kind = "word" }
people = { en = "People", ar = "الأشخاص", kind = "count", parts = ["f", "m"] }
f = { en = "Women", ar = "نساء", kind = "count" }
m = { en = "Men", ar = "رجال", kind = "count" }
amount = { en = "Amount", ar = "المقدار", kind = "count", bar = true }

[words]
applied = { en = "Training: applied", ar = "تدريب: متقدمون" }
accepted = { en = "  accepted or waiting", ar = "  مقبولون أو منتظرون" }
attending = { en = "  attending", ar = "  ملتحقون" }
passed = { en = "  passed", ar = "  ناجحون" }
employed_3 = { en = "  at work within 3 months", ar = "  عملوا خلال 3 أشهر" }
employed_6 = { en = "  at work within 6 months", ar = "  عملوا خلال 6 أشهر" }
lent = { en = "Loans and grants out (amount)", ar = "قروض ومنح مصروفة (المبلغ)" }
repaid = { en = "Paid back (amount)", ar = "المسدد (المبلغ)" }
arrears_30 = { en = "In arrears 30 days (loans)", ar = "متأخرات 30 يوماً (قروض)" }
arrears_60 = { en = "In arrears 60 days (loans)", ar = "متأخرات 60 يوماً (قروض)" }
arrears_90 = { en = "In arrears 90 days (loans)", ar = "متأخرات 90 يوماً (قروض)" }
jobs = { en = "Jobs created (jobs)", ar = "فرص عمل محدثة (فرصة)" }
temporary = { en = "Temporary work (person-days)", ar = "عمل مؤقت (أيام عمل)" }
*/
WITH
  trained AS MATERIALIZED (
    SELECT t.person, t.state, t.result, t.employed_on, t.in_review, c.starts_on, c.ends_on
    FROM training_enrolment AS t JOIN course AS c ON c.id = t.course
    WHERE c.starts_on < :until AND coalesce(c.ends_on, :until) >= date(:since, '-6 months')),
  running AS (SELECT * FROM trained WHERE coalesce(ends_on, :until) >= :since),
  lent AS MATERIALIZED (
    SELECT id, person, amount, finance, state, disbursed_on, instalment, first_due_on, jobs, in_review FROM microproject
    WHERE disbursed_on IS NOT NULL AND disbursed_on < :until),
  paid AS MATERIALIZED (
    SELECT project, sum(amount) AS amount, sum(CASE WHEN paid_on >= :since THEN amount ELSE 0 END) AS now, sum(in_review) AS in_review
    FROM repayment WHERE paid_on < :until GROUP BY 1),
  -- the day on which the first instalment that was not paid fell due
  behind AS MATERIALIZED (
    SELECT person, lent.in_review + coalesce(paid.in_review, 0) AS in_review, julianday(:as_at) - julianday(
      date(first_due_on, '+' || CAST(coalesce(paid.amount, 0) / instalment AS INTEGER) || ' months')) AS days
    FROM lent LEFT JOIN paid ON paid.project = lent.id
    WHERE finance = 'soft_loan' AND instalment > 0 AND coalesce(paid.amount, 0) < lent.amount AND state NOT IN ('completed', 'written_off')),
  line (at, figure) AS (VALUES
    (1, 'applied'), (2, 'accepted'), (3, 'attending'), (4, 'passed'), (5, 'employed_3'), (6, 'employed_6'), (7, 'lent'),
    (8, 'repaid'), (9, 'arrears_30'), (10, 'arrears_60'), (11, 'arrears_90'), (12, 'jobs'), (13, 'temporary')),
  fact (figure, person, amount, in_review) AS (
    SELECT 'applied', person, NULL, in_review FROM running
    UNION ALL SELECT 'accepted', person, NULL, in_review FROM running WHERE state IN ('accepted', 'waiting')
    UNION ALL SELECT 'attending', person, NULL, in_review FROM running WHERE state IN ('attending', 'completed', 'employed')
    UNION ALL SELECT 'passed', person, NULL, in_review FROM running WHERE result = 'pass'
    UNION ALL SELECT 'employed_3', person, NULL, in_review FROM trained WHERE employed_on <= date(ends_on, '+3 months') AND employed_on < :until
    UNION ALL SELECT 'employed_6', person, NULL, in_review FROM trained WHERE employed_on <= date(ends_on, '+6 months') AND employed_on < :until
    UNION ALL SELECT 'lent', person, amount, in_review FROM lent WHERE disbursed_on >= :since
    UNION ALL SELECT 'repaid', lent.person, paid.now, lent.in_review + paid.in_review FROM paid JOIN lent ON lent.id = paid.project WHERE paid.now <> 0
    UNION ALL SELECT 'arrears_30', person, 1, in_review FROM behind WHERE days >= 30 AND days < 60
    UNION ALL SELECT 'arrears_60', person, 1, in_review FROM behind WHERE days >= 60 AND days < 90
    UNION ALL SELECT 'arrears_90', person, 1, in_review FROM behind WHERE days >= 90
    UNION ALL SELECT 'jobs', person, jobs, in_review FROM lent WHERE disbursed_on >= :since AND jobs > 0
    UNION ALL SELECT 'temporary', t.person, 1, t.in_review FROM temporary_job AS t, json_each(t.days_paid) AS d
      WHERE d.value >= :since AND d.value < :until),
  who AS MATERIALIZED (SELECT id, sex FROM person WHERE id IN (SELECT person FROM fact))
SELECT line.figure, count(DISTINCT fact.person) AS people, count(DISTINCT fact.person) FILTER (WHERE who.sex = 'f') AS f,
  count(DISTINCT fact.person) FILTER (WHERE who.sex = 'm') AS m, sum(fact.amount) AS amount, sum(fact.in_review) AS in_review
FROM line LEFT JOIN fact ON fact.figure = line.figure LEFT JOIN who ON who.id = fact.person
GROUP BY line.at ORDER BY line.at
