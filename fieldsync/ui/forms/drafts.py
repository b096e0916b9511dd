"""The content of an unfinished form's draft, and resuming it."""

from typing import TYPE_CHECKING, Any

from fieldsync import errors
from fieldsync.schema.labels import label_in
from fieldsync.ui.forms.answers import FormAnswers
from fieldsync.ui.forms.roster import new_member

if TYPE_CHECKING:
    from fieldsync.ui.forms.form_screen import FormScreen

Json = dict[str, Any]


def make_draft(screen: "FormScreen") -> Json:
    """Return the draft of a form as it is now: answers, what is typed and not legal yet, members; one that is being filled in, too."""
    members = [*screen.members, *([screen.entering] if screen.entering is not None else [])]
    return {
        **_draft_answers(screen.sheets[0].filling),
        "typed": {one.field.name: one.line_text for one in screen.questions if one.wrong and one.line_text.strip()},
        "members": [{"tie": _draft_answers(one.tie), "being": _draft_answers(one.being)} for one in members],
    }


def count_answers(draft: Json) -> int:
    """Return how many answers a draft has."""
    return sum(len(draft.get(part, ())) for part in ("answers", "logs", "counts", "typed", "members"))


def _draft_answers(filling: FormAnswers) -> Json:
    # a default too, as it was seen: tomorrow's may be another, and one that was taken out stays out
    seen = {**filling.before, **filling.opened_with, **filling.doc}
    names = [n for n in seen if not filling.before.get(n) == filling.opened_with.get(n) == filling.doc.get(n)]
    return {
        "answers": {name: filling.doc.get(name) for name in sorted(names)},
        "was": {name: filling.before.get(name) for name in sorted(names)},
        "logs": dict(filling.logs),
        "counts": dict(filling.counts),
    }


def restore_draft(screen: "FormScreen", draft: Json) -> list[str]:
    """Give a form its draft's answers; return the labels of fields that were not: they were changed since, or are no more legal."""
    left = _restore_answers(screen.sheets[0].filling, draft)
    if screen.roster is not None:
        for one in draft.get("members", ()):
            member = new_member(screen.node, screen.roster, screen.out.lang)
            left += _restore_answers(member.tie, one["tie"]) + _restore_answers(member.being, one["being"])
            screen.members.append(member)
    typed = draft.get("typed", {})
    for question in screen.questions:
        question.show_answer()
        if question.field.name in typed:
            question.set_text(typed[question.field.name])
            question.judge_text()
    return left


def _restore_answers(filling: FormAnswers, draft: Json) -> list[str]:
    left = []
    values = {**draft.get("answers", {}), **draft.get("logs", {}), **draft.get("counts", {})}
    for name, value in values.items():
        field = filling.kind.fields.get(name)
        if field is None:
            continue
        label = label_in(field.label, filling.lang, name)
        if name in draft["was"] and draft["was"][name] != filling.before.get(name):
            left.append(label)
            continue
        try:
            filling.set_answer(field, value)
        except errors.FieldsyncError:
            left.append(label)
    return left
