/*
number = 10
label = { en = "How devices sync", ar = "مزامنة الأجهزة" }
about = { en = "Each device: its last sync, what it sent, what was kept aside, open conflicts, its clock.", ar = "كل جهاز: آخر مزامنة وما أرسله وما نُحّي وما زال متعارضا وساعته." }
# how it is now: no month can keep it
issued = false

[columns]
device = { en = "Device", ar = "الجهاز", kind = "text" }
person = { en = "Person", ar = "صاحبه", kind = "text", leaves = false }
unit = { en = "Unit", ar = "الوحدة", kind = "unit" }
seen = { en = "Last sync", ar = "آخر مزامنة", kind = "date" }
silent = { en = "Silent", ar = "صامت", kind = "word" }
sent = { en = "Sent", ar = "أرسل", kind = "count" }
refused = { en = "Aside", ar = "منحّى", kind = "count" }
conflicts = { en = "Conflicts", ar = "تعارضات", kind = "count" }
age = { en = "Days", ar = "أيام", kind = "number" }
clock = { en = "Clock", ar = "الساعة", kind = "number" }

[words]
yes = { en = "14+ days", ar = "14+ يوماً" }
no = { en = "", ar = "" }
*/
SELECT device, person, unit, seen, CASE WHEN silent_days > 14 THEN 'yes' ELSE 'no' END AS silent, sent, refused,
  in_review AS conflicts, oldest_days AS age, clock_minutes AS clock
FROM sync_device WHERE state = 'enrolled' ORDER BY silent_days DESC, device
