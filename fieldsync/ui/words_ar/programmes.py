"""البرامج ولمن هي."""

WORDS = {
    "left_above": "من هم فوق {unit}",
    "because.no_rule": "ليس هذا شرطاً صحيحاً: تتعذر قراءته عند الحرف {at}",
    "because.rule_field": "يسأل الشرط عن حقول غير موجودة: {unknown}",
    "eligible_none": "لا برامج هنا. يضيفها المشرف: fieldsync add programme",
    "eligible_code": "الرمز",
    "eligible_name": "البرنامج",
    "eligible_kind": "النوع",
    "eligible_answer": "يستحق",
    "eligible_why": "ملاحظة",
    "eligible_yes": "نعم",
    "eligible_no": "لا",
    "eligible_unknown": "غير معروف",
    "eligible_faulty": "شرطه معطوب",
    "eligible_lacks": "ينقص: {fields}",
    "eligible_excluded": "لا يجتمع مع {code}",
    "eligible_contributory": "قائم على الاشتراكات",
}
