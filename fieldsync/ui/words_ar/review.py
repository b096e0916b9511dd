"""The review screen."""

WORDS = {
    "review_title": "المراجعة",
    "review_decided": "بُتّ في: {n}",
    "review_why": "كُتب في مكانين دون أن يعلم أحدهما بالآخر.",
    "review_why_clock": "كانت إحدى الساعات خاطئة، فلا يُعرف أي القيم أحدث.",
    "review_why_state": "تفرّعت الحالة: لا تؤدي أيٌّ منها إلى الأخرى.",
    "review_why_once": "يُكتب مرة واحدة، وقد كُتب بقيم مختلفة.",
    "review_why_deleted": "حذفه أحدهم، وعدّله في الأثناء آخر لم يعلم بالحذف.",
    "review_why_unit": "نُقل إلى وحدتين مختلفتين: يبقى في كلتيهما حتى يُبتّ فيه.",
    "review_why_same_as": "اختلفوا: هل السجلّان لشخص واحد؟",
    "review_emptied": "أُفرغ",
    "review_stays": "إبقاء السجلّ",
    "review_edited": "عُدّل في الأثناء:",
    "review_removed": "حذفه:",
    "review_more": "و{n} غيرها",
    "review_rule_newest": "القيمة الأحدث",
    "review_rule_oldest": "القيمة الأقدم",
    "review_rule_person": "ما كتبه {person}",
    "review_note_title": "لماذا؟ يراه من يقرأ تاريخ السجلّ.",
    "review_alike": "{field}: البتّ في {n} معاً. بأي قاعدة؟",
    "review_preview": "{rule}: سيُبتّ في {n}. المستثنى: {out}.",
    "review_reading": "قراءة {n} من {total} …",
    "review_deciding": "جارٍ البتّ …",
    "review_bulk": "✓ بُتّ في: {n}. المفتاح u يتراجع عنها كلها.",
    "review_filter": "إظهار هذه فقط …",
    "review_all": "الكل ({n})",
    "review_by_type": "النوع: {name} ({n})",
    "review_by_field": "الحقل: {name} ({n})",
    "review_by_unit": "الوحدة: {name} ({n})",
    "review_filtered_empty": "لا شيء مفتوح هنا. المفتاح f يُظهر الباقي.",
    "review_help": (
        "1-9   اختيار تلك القيمة؛ 0 القيمة السابقة\n"
        "← →   الانتقال بين القيم، Enter للاختيار\n"
        "e     كتابة قيمة أخرى\n"
        "n     كتابة ملاحظة تُحفظ مع القرار\n"
        "s ↓   تركه لوقت آخر والمتابعة\n"
        "↑     السابق\n"
        "u     التراجع عن آخر قرار\n"
        "h     تاريخ السجلّ\n"
        "f     إظهار نوع أو حقل أو وحدة فقط\n"
        "a     البتّ في كل ما في هذا الحقل معاً، بعد عرضه\n"
        "PgUp PgDn   قراءة بقية السجلّ\n"
        "q     خروج؛ القرارات محفوظة"
    ),
    "their_clock_ahead": "الساعة متقدمة {much}",
    "their_clock_behind": "الساعة متأخرة {much}",
    "key_take": "اختيار",
    "key_edit": "تعديل",
    "key_note": "ملاحظة",
    "key_skip": "تخطٍّ",
    "key_undo": "تراجع",
    "key_history": "التاريخ",
    "key_filter": "تصفية",
    "key_alike": "الكل معاً",
    "key_help": "مساعدة",
    "key_quit": "خروج",
    "key_ok": "قبول",
    "key_leave": "رجوع",
    "key_close": "إغلاق",
    "key_choose": "اختيار",
    "key_scroll": "متابعة",
    "key_decide_all": "البتّ فيها كلها",
}
