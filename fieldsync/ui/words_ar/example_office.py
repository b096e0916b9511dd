"""ما يقوله `demo --office`."""

WORDS = {
    "bar_office": "عمل سنة كاملة",
    "usage.tree_or_office": "العرض إما أن يحكي قصة أو ينشئ مكتبًا.",
    "usage.tree_or_office!": "أعطوا --tree أو --office DIR، لا كليهما.",
    "bad_file.not_empty": "المجلد {file} موجود وليس فارغًا؛ لم يتغير شيء.",
    "bad_file.not_empty!": "سمّوا مجلدًا جديدًا أو فارغًا.",
    "office_built": "✓ عمل سنة لمكتب متخيَّل في {seconds} ث:",
    "office_people": "العاملون فيه، ولكل منهم حاسوب (يُسمّى بـ --home):",
    "office_waits": "تنتظر القرار: التعارضات {conflicts}، والمكررات المحتملة {duplicates}، وتداخلات المساعدات {overlaps}.",
    "office_start": "ملف مفتاح المكتب يفتح كل المخازن. شغّلوا الخادوم في طرفية خاصة به:",
    "office_next": "ثم في طرفية أخرى، باسم {person}:",
    "column_laptop": "الحاسوب",
}
