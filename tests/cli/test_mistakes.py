"""Mistakes of the first hour: each is explained, with the alternatives."""

import pytest

from tests.cli.conftest import World


@pytest.fixture
def codes(world: World) -> dict[str, str]:
    """A family and a person of it, by what the mistakes below call them."""
    family = world.add("amal", "household", family_name="علي", location="جبلة")["code"]
    return {"FAMILY": family, "PERSON": world.add("amal", "person", given="هدى", household=family)["code"]}


@pytest.mark.parametrize(
    ("typed", "code", "told"),
    [
        ("list household --where location", 2, "أو في القوائم --where location=جبلة"),
        ("add household --set family_name=", 2, "لا يُحفظ سجل فارغ"),
        ("refer PERSON --to lat --reason x", 3, "الوحدة: مسار غير صحيح؛ مثال: LAT/JBL"),
        ("add houshold", 3, "هل تقصد: أسرة (household)"),
        ("list اسرا", 3, "هل تقصد: أسرة (household)، "),
        ("list famly", 3, "هل تقصد: أسرة (household)؟"),
        ("add famly", 3, "هل تقصد: أسرة (household)؟"),
        ("list عايلا", 3, "هل تقصد: أسرة (household)؟"),
        ("add household --set العنون=x", 3, "هل تقصد: العنوان أو علامة مميزة (address)؟"),
        ("add zzz", 3, "كلها: fieldsync schema list"),
        ("edit FAMILY --set عائلة=علي", 3, "هل تقصد: اسم العائلة (family_name)"),
        ("sync --server Nobody", 5, "لا يُعرف هنا خادم باسم Nobody؛ لم يُرسَل شيء ولم يُجلَب.\nاختر واحداً من: Office."),
        ("join papers/invite.txt", 3, "لا يمكن قراءة invite.txt"),
        ("duplicates merge FAMILY PERSON", 3, "من نوعين مختلفين: أسرة، فرد"),
        ("referral accept PERSON", 3, "هذا السجل ليس من النوع المطلوب (إحالة)"),
        ("case approve PERSON", 3, "حالة: هذا السجل ليس من النوع المطلوب (حالة)"),
        ("edit FAMILY --put groups=nobody", 3, "الفئات (groups): ليس من الخيارات المتاحة، وهي: أسرة متضررة من الأزمة"),
        ("edit FAMILY --set phones=0791234567", 3, "الهواتف (phones): رقم هاتف غير صحيح"),
        ("edit PERSON --set birth_date=1800-01-01", 3, "ولا أحد يتجاوز 120 سنة"),
        ("add access_note --set from_date=2026-01-05 --set to_date=2026-01-01", 3, "يسبق"),
    ],
)
def test_mistakes_are_explained_in_arabic(
    world: World, codes: dict[str, str], typed: str, code: int, told: str
) -> None:
    """With labels of the forms; the message names the error, and the next line the remedy."""
    who = "samar" if typed.startswith("duplicates") else "amal"
    if who == "samar":
        world.start()
        for one in ("amal", "samar"):
            world.json(one, "sync")
    said = world.here(who, "--lang", "ar", *(codes.get(word, word) for word in typed.split()))
    assert (said.code, said.out) == (code, "")
    assert told in said.err
    assert len(said.err.strip().splitlines()) == 2


def test_arabic_names_work_wherever_english_ones_do(world: World, codes: dict[str, str]) -> None:
    """Of types and fields: adding, changing, listing, files, decisions, forms."""
    family, who = codes["FAMILY"], "amal"
    world.json(who, "edit", family, "--set", "اسم العائلة=حسن", "--put", "الفئات=older", "--note", "x")
    world.json(who, "edit", family, "--unset", "العنوان أو علامة مميزة", "--drop", "الفئات=older")
    listed = world.json(
        who, "list", "الأسر", "--where", "اسم العائلة=حسن", "--where", "الوحدة=LAT/JBL", "--sort", "-اسم العائلة"
    )
    assert [one["code"] for one in listed] == [family]
    assert world.json(who, "add", "أسرة", "--set", "اسم العائلة=قاسم")["fields"] == {
        "family_name": "قاسم",
        "state": "draft",
    }
    assert world.json(who, "schema", "show", "أسرة")["name"] == "household"
    world.json(who, "export", "أسرة", "--out", "out.csv", "--where", "اسم العائلة=حسن", "--fields", "اسم العائلة")
    head, row = (world.folder / "out.csv").read_text("utf-8-sig").splitlines()
    assert "family_name" in head
    assert "حسن" in row
    (world.folder / "in.csv").write_text("ع\nنجار\n", "utf-8")
    told = world.json(who, "import", "in.csv", "--type", "أسرة", "--map", "ع=اسم العائلة", "--key", "اسم العائلة")
    assert (told["added"], told["columns"]) == (1, {"ع": "family_name"})
    assert world.json("samar", "review", "list", "--type", "أسرة", "--field", "اسم العائلة") == []
    assert world.json("samar", "duplicates", "list", "--type", "أسرة") == []
    assert world.json("samar", "overlaps", "list", "--type", "استفادة") == []


def test_an_unknown_field_keeps_the_name_of_a_type(world: World) -> None:
    """A person has no field location: it is not called by the label of the type location."""
    code = world.add("amal", "person", given="أحمد", family="علي")["code"]
    said = world.here("amal", "--lang", "ar", "edit", code, "--set", "location=x")
    assert "حقل location" in said.err, said


def test_a_required_field_cannot_be_emptied_after_registration(world: World) -> None:
    """The state stays the same: the sentence speaks of emptying, not of a next step; after the last state none follows."""
    family = world.add("amal", "household", family_name="علي", location="جبلة")
    head = world.add("amal", "person", given="هدى", household=family["id"])
    told = {"head": head["id"], "displacement": "resident", "registered_on": "2026-01-05", "state": "registered"}
    words = [word for name, value in told.items() for word in ("--set", f"{name}={value}")]
    world.json("amal", "edit", family["code"], *words)
    said = world.here("amal", "edit", family["code"], "--set", "location=", "--lang", "ar")
    assert (said.code, said.err.splitlines()) == (
        3,
        [
            "لا يمكن إفراغ هذه الحقول في الوضع الحالي للسجل: مكان السكن الحالي (location)؛ لم يتغيّر شيء.",
            "أدخل قيمة أخرى بدل القيمة السابقة.",
        ],
    )
    assert world.json("amal", "edit", family["code"], "--set", "location=", code=3)["error"]["facts"] == {
        "type": "household", "fields": ["location"], "reason": "emptied",
    }  # fmt: skip


def test_derived_texts_show_labels(world: World) -> None:
    """The key of a benefit is made of a choice's code, too."""
    family = world.add("amal", "household", family_name="علي", location="جبلة")
    aid = world.add(
        "amal", "benefit", recipient=family["id"], kind="hygiene", period="2026-11", quantity="1", provider="البر"
    )
    said = world.here("amal", "show", aid["code"], "--lang", "ar").out
    assert "hygiene" not in said
    assert f"مفتاح الازدواج: {family['code']} علي جبلة نظافة 2026-11" in said
