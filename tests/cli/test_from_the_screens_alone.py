"""From the screens alone: a family is registered in Arabic, one member exists already, and a supervisor settles what is to be settled."""

from tests.cli.conftest import World
from tests.cli.tmux import terminal

AHMAD = {
    "given": "أحمد", "father": "محمد", "grandfather": "سليم", "family": "الحسن", "sex": "m", "birth_date": "1990-05-12",
    "birth_precision": "day",
}  # fmt: skip


def test_a_family_a_warning_a_conflict_and_a_duplicate(world: World) -> None:
    """Amal registers a family whose head Basim knows; she is warned; Samar takes one place of two, and makes one of the two men."""
    world.environment["FIELDSYNC_RTL"] = "plain"  # tmux shows what the program wrote
    world.start()
    home = world.add("basim", "household", family_name="الحسن", location="جبلة")["code"]
    first = world.add("basim", "person", **AHMAD, household=home)["id"]
    for who in ("basim", "amal"):
        world.json(who, "sync")
    with terminal(world) as screen:
        screen.start(*world.command("amal", "--lang", "ar", "add", "household"))
        screen.until("هل السجل موجود من قبل؟")
        screen.type("الأحمد")
        screen.until("أحد أفرادها بهذا الاسم")  # Basim's family: not this one
        screen.press("Enter")
        screen.until("بأحرف عربية أو لاتينية")  # what was looked for is answered
        screen.press("Enter", "BTab", "BTab", "BTab")  # the last line but one: another member
        screen.until("＋ إضافة فرد")
        screen.press("Enter")
        screen.until("للأسرة رب واحد فقط")
        screen.type("رب")
        screen.press("Enter", "Tab")
        for name in ("احمد", "محمد", "سليم", "الحسن"):
            screen.type(name)
            screen.press("Enter")
        screen.press("Tab", "Tab", "Tab")
        screen.until("أنثى")
        screen.type("ذكر")
        screen.press("Enter")
        screen.until("تاريخ مثل")
        screen.type("١٩٩٠-٠٥-١٢")
        screen.press("Enter")
        screen.until("غير معروف")
        screen.press("C-s")
        screen.until("احمد محمد الحسن  ·  رب الأسرة")
        screen.press("C-s")
        warned = screen.until("قد يكون مسجّلاً من قبل (1):")
        assert all(word in warned for word in ("أحمد محمد الحسن", "الاسم: مطابق", "الحفظ رغم ذلك Enter"))
        screen.press("Enter")
        screen.until("ended with 0")
        for who, place in (("amal", "حمص"), ("basim", "حماة")):
            screen.start(*world.command(who, "--lang", "ar", "edit", home))
            screen.until("مكان السكن الحالي")
            screen.press("Tab", "Tab", "Tab", "Tab")
            screen.press("C-u")
            screen.type(place)
            screen.press("C-s")
            screen.until("ended with 0")
        for who in ("amal", "basim", "samar"):
            screen.start(*world.command(who, "--lang", "ar", "sync"))
            screen.until("ended with 0")
        screen.start(*world.command("samar", "--lang", "ar", "review"))
        screen.until("المراجعة   1 من 2", "حمص", "حماة", "Amal", "Basim", "تكرار محتمل")
        screen.press("2")
        screen.until("هما سجلان مختلفان", "تاريخ الميلاد نفسه")
        screen.press("1")
        screen.until("القرارات: 2")
        screen.press("q")
        screen.until("ended with 0")
        for who in ("samar", "amal"):
            screen.start(*world.command(who, "--lang", "ar", "sync"))
            screen.until("ended with 0")
    men = world.json("amal", "list", "person")
    assert len(men) == 1  # one man, whoever of the two records stays
    assert world.json("samar", "duplicates", "show", first, men[0]["id"])["same"]
    assert world.json("amal", "show", home)["fields"]["location"] in ("حمص", "حماة")
    assert world.json("samar", "review", "list") == []
