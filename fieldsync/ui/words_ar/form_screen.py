"""Forms on a full screen, and their drafts."""

WORDS = {
    "form_missing": "ما زال ناقصاً: {n}",
    "form_done": "✓ حفظ",
    "form_add_member": "＋ إضافة فرد",
    "form_choose": "اختاروا واحداً من هذه، أو اكتبوا المزيد",
    "form_pick": "واحد من هذه: اكتبوا جزءاً منه بأي من اللغتين، أو استعملوا الأسهم.",
    "form_set": "عدة قيم: Enter يضيف، وBackspace يحذف الأخيرة.",
    "key_next": "التالي",
    "key_field": "الحقل التالي",
    "key_save_anyway": "الحفظ رغم ذلك",
    "key_save": "حفظ",
    "draft_found": "حُفظ ما كُتب حتى {at}: {n} من الإجابات. هل نتابع منه؟",
    "draft_take": "المتابعة منه",
    "draft_drop": "التخلص منه",
    "draft_keep": "إبقاؤه لوقت لاحق",
    "draft_go_on": "متابعة الكتابة",
    "draft_leave": "لم يُحفظ بعد.",
    "draft_changed": "عدّلها آخرون في الأثناء، فلم تؤخذ مما كتبتم: {fields}",
    "draft_is_kept": "لم يُحفظ. ما كتبتموه باقٍ، ويُعرض عند فتح هذا النموذج من جديد.",
}
