"""What a household has twice."""

WORDS = {
    "overlaps_none": "لا توجد أسرة حصلت على شيء مرتين، بقدر ما هو معروف هنا.",
    "overlaps_n": "بانتظار التسوية: {n}. استخدم fieldsync overlaps drop RECORD --reason TEXT أو fieldsync overlaps both A B",
    "overlap_known": "⚠ {what}، بقدر ما هو معروف هنا: {side}",
    "overlap_by": "أدخله {by}، {at}",
    "overlap_both": "كلا السجلين {a} و {b} صحيح.",
}
