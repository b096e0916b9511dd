"""The content of an unfinished form's draft, and resuming it."""

from typing import TYPE_CHECKING, Any

import msgspec

from fieldsync import errors
from fieldsync.schema.labels import label_in
from fieldsync.store.node_notes import DraftAnswers, DraftMember, FormDraft
from fieldsync.ui.forms.answers import FormAnswers
from fieldsync.ui.forms.roster import new_member

if TYPE_CHECKING:
    from fieldsync.ui.forms.form_screen import FormScreen


def make_draft(screen: "FormScreen") -> FormDraft:
    """Return a form's draft: answers, illegal typed text, members, and an unfinished member."""
    members = [*screen.members, *([screen.entering] if screen.entering is not None else [])]
    return FormDraft(
        **msgspec.structs.asdict(_draft_answers(screen.sheets[0].filling)),
        typed={one.field.name: one.line_text for one in screen.questions if one.wrong and one.line_text.strip()},
        members=[DraftMember(_draft_answers(one.tie), _draft_answers(one.being)) for one in members],
    )


def count_answers(draft: FormDraft) -> int:
    """Return how many answers a draft has."""
    return sum(map(len, (draft.answers, draft.logs, draft.counts, draft.typed, draft.members)))


def _draft_answers(filling: FormAnswers) -> DraftAnswers:
    # a default too, as it was seen: tomorrow's may be another, and one that was taken out stays out
    seen = {**filling.before, **filling.opened_with, **filling.doc}
    names = [n for n in seen if not filling.before.get(n) == filling.opened_with.get(n) == filling.doc.get(n)]
    return DraftAnswers(
        answers={name: filling.doc.get(name) for name in sorted(names)},
        was={name: filling.before.get(name) for name in sorted(names)},
        logs=dict(filling.logs),
        counts=dict(filling.counts),
    )


def restore_draft(screen: "FormScreen", draft: FormDraft) -> list[str]:
    """Restore a draft's answers; return the labels of fields left out, as they were changed or are illegal now."""
    left = _restore_answers(screen.sheets[0].filling, draft)
    if screen.roster is not None:
        for one in draft.members:
            member = new_member(screen.node, screen.roster, screen.out.lang)
            left += _restore_answers(member.tie, one.tie) + _restore_answers(member.being, one.being)
            screen.members.append(member)
    for question in screen.questions:
        question.show_answer()
        if question.field.name in draft.typed:
            question.set_text(draft.typed[question.field.name])
            question.judge_text()
    return left


def _restore_answers(filling: FormAnswers, draft: DraftAnswers) -> list[str]:
    left = []
    values: dict[str, Any] = {**draft.answers, **draft.logs, **draft.counts}
    for name, value in values.items():
        field = filling.kind.fields.get(name)
        if field is None:
            continue
        label = label_in(field.label, filling.lang, name)
        if name in draft.was and draft.was[name] != filling.before.get(name):
            left.append(label)
            continue
        try:
            filling.set_answer(field, value)
        except errors.FieldsyncError:
            left.append(label)
    return left
