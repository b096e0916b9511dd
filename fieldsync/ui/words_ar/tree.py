"""الفروع وأقراص النقل والخطوط السيئة."""

WORDS = {
    "no_store.joining": "انقطع الانضمام من {home}؛ لم يضِع شيء.",
    "no_store.joining!": "انضمّ من جديد بالدعوة نفسها: fieldsync join INVITE.",
    "cut_off.joining": "انقطع الخط مع {server} قبل أن يجيب؛ لم يضِع شيء.",
    "cut_off.joining!": "انضمّ من جديد بالدعوة نفسها: يتابع من حيث توقّف.",
    "invite_invalid.enrolled": "يعرف الخادوم هذا الحاسوب من قبل؛ لم تُستعمل الدعوة.",
    "invite_invalid.enrolled!": "تابع كما كنت: fieldsync sync.",
    "bundled": "في الحزمة {numbers}",
    "saves": "الحفظات: {n}؛",
    "saves_here": "{n} هنا فقط",
    "saves_in_bundle": "{n} في حزمة على الطريق",
    "saves_received": "{n} استلمها {server}",
    "saves_review": "{n} قيد المراجعة",
    "saves_settled": "{n} حُسم أمرها",
    "saves_refused": "{n} وُضعت جانباً",
    "unchecked": "بين الطرفين اختلاف، والحدّ المعطى لا يكفي لإصلاحه: تصلحه المزامنة التالية دون ‎--budget.",
    "not_found.upstream": "ليس هذا الخادوم فرعاً لخادوم آخر.",
    "not_found.upstream!": "اجعله فرعاً بدعوة بدور branch من الخادوم الأعلى: fieldsync server upstream set INVITE",
    "scheduled_user": "هذا مؤقّت المستخدم نفسه: كي يعمل دون أن يكون أحد قد سجّل الدخول، مرة واحدة: loginctl enable-linger",
    "health_letters_twice": ("لجهازين الحروف نفسها، فقد تحمل سجلات الرمز نفسه؛ انظر فيهما: fieldsync server devices"),
}
