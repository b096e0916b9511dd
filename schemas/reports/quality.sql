/*
number = 11
whole = true
label = { en = "Data quality", ar = "جودة البيانات" }
about = { en = "What is missing or looks wrong in the registers on the last day of the period, and how conflicts were decided in it.", ar = "ما ينقص في السجلات أو يبدو خطأ في آخر يوم من الفترة، وكيف بُتّ في التعارضات خلالها." }

[columns]
what = { en = "What", ar = "الملاحظة", kind = "word" }
n = { en = "Records", ar = "السجلات", kind = "count", bar = true }
whole = { en = "Of", ar = "من أصل", kind = "count" }
share = { en = "%", ar = "٪", kind = "share", whole = "whole" }
seconds = { en = "Seconds each", ar = "ثوانٍ لكل منها", kind = "number", leaves = false }

[words]
no_paper = { en = "People without an identity paper", ar = "أشخاص بلا وثيقة" }
heaped = { en = "Born on 1 January or 1 July", ar = "مواليد أول كانون الثاني أو أول تموز" }
no_birth = { en = "Birth date missing", ar = "تاريخ الميلاد غير مسجل" }
no_phone = { en = "Households without any phone", ar = "أسر بلا هاتف" }
no_head = { en = "Households without a head", ar = "أسر بلا رب أسرة" }
size = { en = "Stated size is not the members'", ar = "العدد المصرح لا يطابق الأفراد" }
no_consent = { en = "People with a case and no consent", ar = "أصحاب حالات بلا موافقة" }
same_paper = { en = "Identity papers of several people", ar = "وثائق مسجلة لأكثر من شخص" }
same_book = { en = "Family booklets of several households", ar = "دفاتر عائلة لأكثر من أسرة" }
decisions = { en = "Conflicts decided, with the median time", ar = "تعارضات بُتّ فيها، والوقت الوسيط" }
agreed = { en = "Decided alike by two supervisors", ar = "بتّ فيها مشرفان على نحو واحد" }
two_homes = { en = "People with two open memberships", ar = "أشخاص في أسرتين معا" }
*/
WITH
  one AS MATERIALIZED (SELECT id, household, birth_date, nullif(ids, '[]') AS ids, nullif(phones, '[]') AS phones, in_review FROM person
    WHERE alive IS NULL OR alive = 'alive'),
  home AS MATERIALIZED (
    SELECT id, nullif(phones, '[]') AS phones, head, size_stated, nullif(family_book_no, '') AS book, in_review FROM household
    WHERE state NOT IN ('merged', 'dissolved')),
  living AS MATERIALIZED (SELECT household, count(*) AS n, max(phones IS NOT NULL) AS phone, max(in_review) AS in_review FROM one WHERE household IS NOT NULL GROUP BY 1),
  followed AS MATERIALIZED (
    SELECT person, max(in_review) AS in_review FROM [case] WHERE state NOT IN ('closed', 'duplicate') GROUP BY 1),
  agreed AS MATERIALIZED (SELECT DISTINCT subject FROM consent WHERE state = 'given' AND coalesce(expires_on, :as_at) >= :as_at),
  papers AS MATERIALIZED (
    SELECT substr(value, 1, instr(value || ':', ':') + 3 + instr(substr(value, instr(value || ':', ':') + 4) || ':', ':') - 1) AS paper,
      count(DISTINCT one.id) AS n, max(one.in_review) AS in_review FROM one, json_each(one.ids) GROUP BY 1),
  totals AS MATERIALIZED (SELECT (SELECT count(*) FROM one) AS people, (SELECT count(*) FROM home) AS homes),
  made AS MATERIALIZED (SELECT seconds, second, agrees FROM logged_decision WHERE day >= :since AND day < :until),
  timed AS (SELECT seconds, row_number() OVER (ORDER BY seconds) AS place, count(*) OVER () AS n FROM made WHERE seconds IS NOT NULL),
  line (at, what, n, whole, in_review) AS (
    SELECT 1, 'no_paper', coalesce(sum(ids IS NULL), 0), count(*), sum(ids IS NULL AND in_review) FROM one
    UNION ALL SELECT 2, 'heaped', coalesce(sum(substr(birth_date, 6) IN ('01-01', '07-01')), 0), count(birth_date),
      sum(substr(birth_date, 6) IN ('01-01', '07-01') AND in_review) FROM one
    UNION ALL SELECT 3, 'no_birth', coalesce(sum(birth_date IS NULL), 0), count(*), sum(birth_date IS NULL AND in_review) FROM one
    UNION ALL SELECT 4, 'no_phone', coalesce(sum(home.phones IS NULL AND coalesce(living.phone, 0) = 0), 0), count(*),
      sum(home.phones IS NULL AND coalesce(living.phone, 0) = 0 AND (home.in_review OR coalesce(living.in_review, 0)))
      FROM home LEFT JOIN living ON living.household = home.id
    UNION ALL SELECT 5, 'no_head', coalesce(sum(head IS NULL), 0), count(*), sum(head IS NULL AND in_review) FROM home
    UNION ALL SELECT 6, 'size', coalesce(sum(size_stated <> coalesce(living.n, 0)), 0), count(size_stated),
      sum(size_stated <> coalesce(living.n, 0) AND (home.in_review OR coalesce(living.in_review, 0)))
      FROM home LEFT JOIN living ON living.household = home.id
    UNION ALL SELECT 7, 'no_consent', coalesce(sum(person NOT IN (SELECT subject FROM agreed)), 0), count(*),
      sum(person NOT IN (SELECT subject FROM agreed) AND in_review) FROM followed
    UNION ALL SELECT 8, 'same_paper', coalesce(sum(n > 1), 0), count(*), sum(n > 1 AND in_review) FROM papers
    UNION ALL SELECT 9, 'same_book', coalesce(sum(n > 1), 0), count(*), sum(n > 1 AND in_review)
      FROM (SELECT count(*) AS n, max(in_review) AS in_review FROM home WHERE book IS NOT NULL GROUP BY book)
    UNION ALL SELECT 10, 'two_homes', coalesce(sum(n > 1), 0), count(*), sum(n > 1 AND in_review)
      FROM (SELECT count(DISTINCT household) AS n, max(in_review) AS in_review FROM membership WHERE to_date IS NULL GROUP BY person)
    UNION ALL SELECT 11, 'decisions', count(*), NULL, 0 FROM made
    UNION ALL SELECT 12, 'agreed', coalesce(sum(agrees), 0), coalesce(sum(second), 0), 0 FROM made)
SELECT what, n, whole, 100.0 * n / nullif(whole, 0) AS share,
  CASE what WHEN 'decisions' THEN (SELECT round(seconds) FROM timed WHERE place = (n + 1) / 2) END AS seconds, in_review
FROM line ORDER BY at
