"""Arabic: what a record type may ask for, and changes in a household."""

WORDS = {
    "same_birth": "في هذه الأسرة ولادة موثّقة {other} في يوم قريب جداً؛ لم يتغيّر شيء.",
    "same_birth!": "إن كان الطفل نفسه: fieldsync edit {event} --set state=rejected، وإن كانا توأمين: --anyway",
    "form_fault.below_changed": "كانت below بقيمة أخرى: ستذهب السجلات كلها إلى أشخاص آخرين. أبقها كما كانت",
    "form_fault.above_changed": "كانت above بقيمة أخرى: ستذهب السجلات كلها إلى أشخاص آخرين. أبقها كما كانت",
    "form_fault.above_whom": "تحتاج above إلى belongs_to: تذهب سجلاتها إلى من هم فوق وحدة السجل الذي تتبعه",
    "form_fault.belongs_below": "تذهب سجلات {type} إلى كل من هم دون وحدتها، وكذلك كل ما يتبعها. اجعل هذا النوع مستقلاً",
    "form_fault.below_and_belongs": "ما يتبع سجلاً آخر يكون حيث يكون ذلك السجل: احذف below أو belongs_to",
}
