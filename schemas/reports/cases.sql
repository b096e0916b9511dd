/*
number = 7
label = { en = "Case management", ar = "إدارة الحالة" }
about = { en = "Cases opened, worked on and closed in the period, after Primero's indicators.", ar = "الحالات المفتوحة والمتابعة والمغلقة في الفترة وفق مؤشرات بريميرو." }

[columns]
figure = { en = "Figure", ar = "المؤشر", kind = "word" }
value = { en = "Of which", ar = "منها", kind = "word" }
n = { en = "Number", ar = "العدد", kind = "count", bar = true }
whole = { en = "Of", ar = "من أصل", kind = "count" }
share = { en = "%", ar = "٪", kind = "share", whole = "whole" }
average = { en = "Average", ar = "المتوسط", kind = "number" }

[words]
opened = { en = "Cases opened", ar = "حالات مفتوحة" }
open = { en = "Open at the end", ar = "مفتوحة في النهاية" }
closed = { en = "Cases closed", ar = "حالات مغلقة" }
to_close = { en = "Days open to close", ar = "أيام من الفتح إلى الإغلاق" }
assessed = { en = "Assessed in time", ar = "تقييم في موعده" }
assess_delay = { en = "Days to first assessment", ar = "أيام حتى أول تقييم" }
plans = { en = "Plans approved", ar = "خطط معتمدة" }
follow_ups = { en = "Visits done, per case", ar = "زيارات منفذة لكل حالة" }
referrals = { en = "Referrals sent, per case", ar = "إحالات مرسلة لكل حالة" }
accepted = { en = "Referrals accepted", ar = "إحالات مقبولة" }
done = { en = "Referrals done", ar = "إحالات منجزة" }
answered = { en = "Days to answer a referral", ar = "أيام حتى الرد على الإحالة" }
service = { en = "Services", ar = "خدمات" }
goals = { en = "Goal progress", ar = "التقدم نحو الهدف" }
reason = { en = "Closed because", ar = "سبب الإغلاق" }
found = { en = "Identified by", ar = "طريقة الرصد" }
risk = { en = "Risk", ar = "الخطورة" }
satisfied = { en = "Satisfied", ar = "الرضا" }
total = { en = "all", ar = "الكل" }
d03 = { en = "3 days or less", ar = "3 أيام أو أقل" }
d05 = { en = "4-5 days", ar = "4-5 أيام" }
d14 = { en = "6-14 days", ar = "6-14 يوماً" }
d30 = { en = "15-30 days", ar = "15-30 يوماً" }
d90 = { en = "31-90 days", ar = "31-90 يوماً" }
more = { en = "more than 90 days", ar = "أكثر من 90 يوماً" }
c030 = { en = "30 days or less", ar = "30 يوماً أو أقل" }
c090 = { en = "31-90 days", ar = "31-90 يوماً" }
c180 = { en = "91-180 days", ar = "91-180 يوماً" }
c999 = { en = "more than 180 days", ar = "أكثر من 180 يوماً" }
child = { en = "child", ar = "طفل" }
woman = { en = "woman", ar = "امرأة" }
older = { en = "older person", ar = "مسنّ" }
disability = { en = "disability", ar = "إعاقة" }
family = { en = "family", ar = "أسرة" }
institution_resident = { en = "resident of an institution", ar = "نزيل مؤسسة" }
goals_met = { en = "goals met", ar = "تحقق الأهداف" }
moved = { en = "moved", ar = "انتقال" }
refused = { en = "refused", ar = "رفض" }
lost_contact = { en = "lost contact", ar = "انقطاع الاتصال" }
adult = { en = "grew up", ar = "بلوغ سن الرشد" }
died = { en = "died", ar = "وفاة" }
transferred = { en = "transferred", ar = "تحويل" }
other = { en = "other", ar = "أخرى" }
monitoring = { en = "monitoring", ar = "الرصد" }
self = { en = "came by themselves", ar = "بنفسه" }
charity = { en = "a charity", ar = "جمعية" }
school = { en = "a school", ar = "مدرسة" }
health = { en = "health care", ar = "صحة" }
police = { en = "police", ar = "شرطة" }
hotline = { en = "hotline", ar = "خط ساخن" }
referral = { en = "referral", ar = "إحالة" }
low = { en = "low", ar = "منخفضة" }
medium = { en = "medium", ar = "متوسطة" }
high = { en = "high", ar = "مرتفعة" }
emergency = { en = "emergency", ar = "طارئة" }
none = { en = "none yet", ar = "لا تقدم" }
in_progress = { en = "in progress", ar = "قيد التقدم" }
met = { en = "met", ar = "تحقق" }
yes = { en = "yes", ar = "نعم" }
partly = { en = "partly", ar = "جزئياً" }
no = { en = "no", ar = "لا" }
vaccination = { en = "vaccination", ar = "تطعيم" }
mhpss = { en = "psychosocial", ar = "دعم نفسي" }
physio = { en = "physiotherapy", ar = "علاج طبيعي" }
legal = { en = "legal aid", ar = "مساعدة قانونية" }
shelter = { en = "shelter", ar = "إيواء" }
education = { en = "education", ar = "تعليم" }
cash = { en = "cash", ar = "نقد" }
in_kind = { en = "in kind", ar = "عيني" }
food = { en = "food", ar = "غذاء" }
home_repair = { en = "home repair", ar = "ترميم منازل" }
vocational = { en = "vocational training", ar = "تدريب مهني" }
livelihood = { en = "livelihood", ar = "سبل عيش" }
alternative_care = { en = "alternative care", ar = "رعاية بديلة" }
protection = { en = "protection", ar = "حماية" }
documentation = { en = "civil papers", ar = "أوراق ثبوتية" }
disability_aid = { en = "assistive device", ar = "معينات" }
platform_help = { en = "help with the platform", ar = "مساعدة على المنصة" }
unknown = { en = "unknown", ar = "غير معروف" }
*/
WITH
  kept AS MATERIALIZED (
    SELECT id, person, case_type, state, opened_on, found_by, risk, closed_on, closure_reason, in_review,
      opened_on >= :since AND opened_on < :until AS opened,
      state = 'closed' AND closed_on >= :since AND closed_on < :until AS closed,
      opened_on <= :as_at AND (state NOT IN ('closed', 'duplicate') OR (state = 'closed' AND closed_on > :as_at)) AS open,
      date(opened_on, CASE risk WHEN 'emergency' THEN '+1 day' WHEN 'high' THEN '+3 days' WHEN 'medium' THEN '+7 days' ELSE '+14 days' END) AS due
    FROM [case] WHERE state <> 'duplicate'),
  first AS MATERIALIZED (
    SELECT [case] AS id, min(done_on) AS done_on, max(in_review) AS in_review FROM assessment WHERE state NOT IN ('draft', 'returned') GROUP BY 1),
  -- cases whose assessment was due in the period
  due AS MATERIALIZED (
    SELECT kept.due, first.done_on, kept.in_review OR coalesce(first.in_review, 0) AS in_review FROM kept LEFT JOIN first ON first.id = kept.id
    WHERE kept.due >= :since AND kept.due < :until AND kept.due <= :as_at),
  delay AS MATERIALIZED (
    SELECT julianday(first.done_on) - julianday(kept.opened_on) AS days, kept.in_review OR first.in_review AS in_review FROM kept JOIN first ON first.id = kept.id WHERE kept.opened),
  sent AS MATERIALIZED (
    SELECT id, state, julianday(answered_on) - julianday(sent_on) AS days, in_review FROM referral
    WHERE sent_on >= :since AND sent_on < :until AND state <> 'draft'),
  given AS MATERIALIZED (
    SELECT service_type, in_review FROM service WHERE given_on >= :since AND given_on < :until AND outcome IN ('given', 'partly')),
  visits (n, in_review) AS (SELECT count(*), sum(in_review) FROM follow_up WHERE state = 'done' AND done_on >= :since AND done_on < :until),
  planned AS MATERIALIZED (
    SELECT state IN ('approved', 'active', 'completed') AS approved, in_review FROM plan
    WHERE starts_on >= :since AND starts_on < :until AND state <> 'draft'),
  progress AS MATERIALIZED (
    SELECT coalesce(i.progress, 'none') AS progress, i.in_review FROM plan_item AS i WHERE i.due_on >= :since AND i.due_on < :until),
  answer AS MATERIALIZED (
    SELECT satisfied, in_review FROM feedback WHERE satisfied IS NOT NULL AND given_on >= :since AND given_on < :until),
  active (n) AS (SELECT nullif(sum(open OR closed), 0) FROM kept),
  line (at, figure, value, n, whole, average, in_review) AS (
    SELECT 1, 'opened', 'total', coalesce(sum(opened), 0), NULL, NULL, sum(in_review AND opened) FROM kept
    UNION ALL SELECT 2, 'opened', case_type, sum(opened), (SELECT sum(opened) FROM kept), NULL, sum(in_review) FROM kept WHERE opened GROUP BY 3
    UNION ALL SELECT 3, 'risk', coalesce(risk, 'unknown'), sum(opened), (SELECT sum(opened) FROM kept), NULL, sum(in_review) FROM kept WHERE opened GROUP BY 3
    UNION ALL SELECT 4, 'found', coalesce(found_by, 'unknown'), sum(opened), (SELECT sum(opened) FROM kept), NULL, sum(in_review) FROM kept WHERE opened GROUP BY 3
    UNION ALL SELECT 5, 'open', 'total', coalesce(sum(open), 0), NULL, NULL, sum(in_review AND open) FROM kept
    UNION ALL SELECT 6, 'closed', 'total', coalesce(sum(closed), 0), coalesce(sum(open OR closed), 0), NULL, sum(in_review AND closed) FROM kept
    UNION ALL SELECT 7, 'reason', coalesce(closure_reason, 'unknown'), count(*), (SELECT sum(closed) FROM kept), NULL, sum(in_review) FROM kept WHERE closed GROUP BY 3
    UNION ALL SELECT 8, 'to_close',
      CASE WHEN days <= 30 THEN 'c030' WHEN days <= 90 THEN 'c090' WHEN days <= 180 THEN 'c180' ELSE 'c999' END,
      count(*), (SELECT sum(closed) FROM kept), avg(days), sum(in_review)
      FROM (SELECT julianday(closed_on) - julianday(opened_on) AS days, in_review FROM kept WHERE closed) GROUP BY 3
    UNION ALL SELECT 9, 'assess_delay',
      CASE WHEN days <= 3 THEN 'd03' WHEN days <= 5 THEN 'd05' WHEN days <= 14 THEN 'd14' WHEN days <= 30 THEN 'd30' WHEN days <= 90 THEN 'd90' ELSE 'more' END,
      count(*), (SELECT count(*) FROM delay), avg(days), sum(in_review) FROM delay GROUP BY 3
    UNION ALL SELECT 10, 'assessed', 'total', coalesce(sum(done_on <= due), 0), count(*), NULL, sum(in_review) FROM due
    UNION ALL SELECT 11, 'plans', 'total', coalesce(sum(approved), 0), count(*), NULL, sum(in_review) FROM planned
    UNION ALL SELECT 12, 'follow_ups', 'total', visits.n, NULL, 1.0 * visits.n / active.n, visits.in_review FROM visits, active
    UNION ALL SELECT 13, 'referrals', 'total', count(*), NULL, 1.0 * count(*) / (SELECT n FROM active), sum(in_review) FROM sent
    UNION ALL SELECT 14, 'accepted', 'total', coalesce(sum(state IN ('accepted', 'in_progress', 'done')), 0), count(*), NULL, sum(in_review) FROM sent
    UNION ALL SELECT 15, 'done', 'total', coalesce(sum(state = 'done'), 0), count(*), NULL, sum(in_review) FROM sent
    UNION ALL SELECT 16, 'answered', 'total', count(days), count(*), avg(days), sum(in_review) FROM sent
    UNION ALL SELECT 17, 'service', service_type, count(*), (SELECT count(*) FROM given), NULL, sum(in_review) FROM given GROUP BY 3
    UNION ALL SELECT 18, 'goals', progress, count(*), (SELECT count(*) FROM progress), NULL, sum(in_review) FROM progress GROUP BY 3
    UNION ALL SELECT 19, 'satisfied', satisfied, count(*), (SELECT count(*) FROM answer), NULL, sum(in_review) FROM answer GROUP BY 3)
SELECT figure, value, n, whole, 100.0 * n / nullif(whole, 0) AS share, round(average, 1) AS average, in_review
FROM line ORDER BY at, CASE WHEN at IN (8, 9) THEN value END, n DESC, value
