"""Case management commands as typed."""

import pytest
from rich.cells import cell_len

from fieldsync import errors
from tests.cli.conftest import World


def test_a_case_by_commands(world: World) -> None:
    """Open, assess, plan, request closure; agenda and caseload, in both languages."""
    family = world.add("amal", "household", family_name="الحسن")
    child = world.add("amal", "person", given="علي", family="الحسن", sex="m", household=family["code"])
    case = world.json(
        "amal", "case", "open", child["code"], "--type", "child", "--concern", "dropout", "--concern", "street",
        "--risk", "medium", "--found-by", "school", "--set", "opened_on=٢٠٢٦-١٠-٠١",
    )  # fmt: skip
    assert case["fields"]["concerns"] == ["dropout", "street"]
    assert (case["fields"]["state"], case["fields"]["assessment_due"]) == ("registered", "2026-10-08")
    (line,) = world.json("amal", "agenda", "--overdue")
    assert (line["what"], line["due"], line["about"], line["worker"]) == (
        "assessment",
        "2026-10-08",
        "علي الحسن",
        "Amal",
    )
    said = world.here("amal", "agenda", "--lang", "ar")
    assert "التقييم الأول" in said.out
    world.json("amal", "case", "assess", case["code"], "--risk", "high", "--answers", "ينام عند الجيران")
    plan = world.json(
        "amal", "case", "plan", case["code"], "--goal", "العودة", "--review", "2030-01-01",
        "--step", "تسجيله؛ education؛ ٢٠٢٦-١١-٠١", "--step", "زيارة الأهل;mhpss;2026-11-02;Basim",
    )  # fmt: skip
    assert plan["fields"]["state"] == "submitted"
    due = world.json("amal", "agenda", "--everybody", "--until", "٢٠٢٧-٠١-٠١")
    assert [(one["due"], one["worker"]) for one in due if one["what"] == "step"] == [
        ("2026-11-01", "Amal"), ("2026-11-02", "Basim"),
    ]  # fmt: skip
    assert {one["what"] for one in due} == {"step", "approval", "plan_approval"}
    (load,) = world.json("amal", "caseload")
    assert (load["worker"], load["open"], load["by_risk"]) == ("Amal", 1, {"high": 1})
    assert "Amal" in world.here("amal", "caseload", "--lang", "ar").out


@pytest.mark.parametrize("lang", ["en", "ar"])
def test_the_agenda_is_complete_on_a_narrow_terminal(world: World, lang: str) -> None:
    """At 80 columns nothing is cut: each task takes two lines where the table is wider."""
    family = world.add("amal", "household", family_name="الحسن")
    name = "عبد الرحمن ابن عبد الله المعروف بأبي محمد"
    child = world.add("amal", "person", given=name, family="الحسن", sex="m", household=family["code"])
    world.json(
        "amal", "case", "open", child["code"], "--type", "child", "--concern", "street", "--risk", "low", "--set", "opened_on=2026-10-01"
    )  # fmt: skip
    world.environment |= {"TERM": "dumb", "COLUMNS": "80", "FIELDSYNC_RTL": "plain"}
    for command in (["agenda"], ["agenda", "--everybody"], ["caseload"], ["review", "list"]):
        said = world.here("amal", *command, "--lang", lang, screen=True)
        assert said.code == 0
        assert "…" not in said.out
        assert max(map(cell_len, said.out.splitlines())) <= 80
    assert name in world.here("amal", "agenda", "--lang", lang, screen=True).out
    opened = {"en": "New this month: 0", "ar": "جديدة هذا الشهر: 0"}[lang]  # a figure stays beside its word
    assert opened in world.here("amal", "caseload", "--lang", lang, screen=True).out


def test_the_agenda_is_counted_in_words(world: World) -> None:
    """With the noun's form for the number."""
    family = world.add("amal", "household", family_name="الحسن")
    child = world.add("amal", "person", given="علي", family="الحسن", sex="m", household=family["code"])
    world.json(
        "amal", "case", "open", child["code"], "--type", "child", "--concern", "street", "--risk", "low", "--set", "opened_on=2026-10-01"
    )  # fmt: skip
    assert "مهمة واحدة مستحقة حتى اليوم، منها واحدة متأخرة\n" in world.here("amal", "--lang", "ar").out
    assert "مهمة واحدة، منها واحدة متأخرة.\n" in world.here("amal", "agenda", "--lang", "ar").out


def test_case_errors_are_one_line(world: World) -> None:
    """Roles, steps, days and wrong words: an exit code each, and nothing changed."""
    family = world.add("amal", "household", family_name="الحسن")
    child = world.add("amal", "person", given="علي", family="الحسن", sex="m", household=family["code"])
    case = world.json("amal", "case", "open", child["code"], "--type", "child", "--concern", "street", "--risk", "low")
    name = case["code"]
    world.json("amal", "case", "close", name, "--reason", "moved")
    for code, *words in (
        (errors.RoleRefused.exit, "case", "approve", name),
        (errors.NothingToApprove.exit, "case", "approve", name, "--plan"),
        (errors.IllegalStep.exit, "case", "advance", name, "--to", "planned"),
        (errors.IllegalValue.exit, "case", "close", name, "--reason", "because"),
        (errors.IllegalValue.exit, "case", "advance", child["code"]),
        (errors.Usage.exit, "case", "transfer", name),
        (errors.Usage.exit, "case", "plan", name, "--goal", "x", "--review", "2030-01-01", "--step", "only words"),
        (errors.Usage.exit, "agenda", "--until", "tomorrow"),
        (errors.NoRecord.exit, "case", "advance", "JBL-B-99"),
    ):
        told = world.json("amal", *words, code=code)
        assert all((told["error"]["message"], told["error"]["hint"])), words
    assert world.json("amal", "show", name)["fields"]["state"] == "closing"
    said = world.here("amal", "case", "advance", name, "--to", "closed")
    assert "Closing needs a supervisor's approval" in said.err


def test_an_approval_that_nobody_asked_for_is_told_as_that(world: World) -> None:
    """No empty list of requests, and where the pending ones are found."""
    family = world.add("amal", "household", family_name="الحسن")
    child = world.add("amal", "person", given="علي", family="الحسن", sex="m", household=family["code"])
    case = world.json("amal", "case", "open", child["code"], "--type", "child", "--concern", "street", "--risk", "low")
    world.start()
    for who in ("amal", "samar"):
        world.json(who, "sync")
    said = world.here("samar", "case", "approve", case["code"], "--lang", "ar").err
    assert said == (
        f"لا يوجد في {case['code']} طلب ينتظر الاعتماد؛ لم يتغيّر شيء.\nلعرض ما ينتظر: fieldsync review approvals\n"
    )
