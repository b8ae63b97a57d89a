"""What people type is understood: kinds of report, places, commands, codes, map links."""

import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.config import load_commune, parse_commune
from bot.core.commune import Point
from bot.core.words import COMMANDS, Lexicon

FILE = Path(__file__).parent.parent / "commune.toml"
COMMUNE = load_commune(FILE)
LEXICON = Lexicon(COMMUNE)

# what is typed | category, `a/b` when the bot must ask, empty for nothing | village number(s) | landmark
SAID = """
rác ở cổng chợ | litter | | cổng chợ
rac o cong cho | litter | | cong cho
rac o cong cho thon 3 | litter | 3 | cong cho
Rác đổ trộm ở cổng chợ thôn 3 | litter | 3 | cổng chợ
bãi rác tự phát cạnh trường mầm non thôn 12 | litter | 12 | cạnh trường mầm non
bai rac tu phat | litter | |
RAC BUA BAI SAU NHA VAN HOA THON 7 | litter | 7 | SAU NHA VAN HOA
rác vứt đầy bờ mương thôn bảy | litter | 7 | bờ mương
rac vut day bo muong thon bay | litter | 7 | bo muong
đổ rác trộm ở chân cầu | litter | | chân cầu
ai do rac o goc da thon muoi hai | litter | 12 | goc da
mấy hôm nay ko ai thu rác ở thôn 5 | litter | 5 |
rác chất đống đầu làng bốc mùi hôi thối | litter | | đầu làng
tui rac vut day dau ngo th12 | litter | 12 | dau ngo
rác nổi kín ao làng thôn 9 | litter | 9 | ao làng
thon 3, rac o san bong | litter | 3 | san bong
có người đổ trộm rác ra bờ đê | litter | | bờ đê
vut rac xuong song gan cau thon 18 | litter | 18 | song gan cau
rác thải sinh hoạt vứt ở nghĩa trang thôn 20 | litter | 20 | nghĩa trang
đốt rác khói mù mịt thôn 4 | burning | 4 |
dot rac sau truong hoc | burning | | sau truong hoc
đang đốt rơm rạ ngoài đồng thôn 6 | burning | 6 | ngoài đồng
dot rom khoi mu mit ca lang | burning | |
có nhà đốt nilon khét lẹt gần trạm y tế | burning | | gần trạm y tế
dot phe lieu o bai dat trong thon 15 | burning | 15 | bai dat trong
họ đốt cả đống rác ở cuối làng | burning | | cuối làng
lợn chết vứt ở mương thôn 8 | carcass | 8 | mương
lon chet troi song thon hai | carcass | 2 | song
xác gà vứt bờ sông | carcass | | bờ sông
co con cho chet o dau cau thon 14 | carcass | 14 | dau cau
ga chet vut day kenh | carcass | | kenh
vứt xác lợn xuống kênh thôn 16 | carcass | 16 | kênh
cống tắc trước cổng trường | drain | | trước cổng trường
tac cong thon 10 | drain | 10 |
mương tắc nước tràn ra đường thôn 11 | drain | 11 |
muong thoat nuoc bi tac o cuoi lang | drain | | cuoi lang
ngập nước ở ngã ba thôn 1 | drain | 1 | ngã ba
mua xong la duong ngap, thon 13 | drain | 13 |
bèo kín mương ko thoát nước | drain | |
cong truoc cho bi tac | drain | | truoc cho
nước thải chăn nuôi chảy ra mương | sewage | | mương
nuoc thai hoi thoi thon 17 | sewage | 17 |
trại lợn xả nước thải ra kênh thôn 19 | sewage | 19 | kênh
xa phan lon xuong ao thon 6 | sewage | 6 | ao
nước đen ngòm xả ra sông | sewage | |
lước thải ra đường | sewage | |
đổ phế thải xây dựng ven đê thôn 2 | rubble | 2 | ven đê
do gach vo ra bo de | rubble | | bo de
gạch vỡ vôi vữa đổ ở chân đê | rubble | | chân đê
phe thai xay dung do canh nghia trang thon 3 | rubble | 3 | canh nghia trang
đổ trộm đất đá bờ sông thôn 9 | rubble | 9 | bờ sông
vỏ thuốc sâu vứt bờ ruộng thôn 4 | pesticide | 4 | bờ ruộng
vo thuoc sau vut day muong | pesticide | | muong
chai thuốc trừ sâu ngoài đồng | pesticide | | ngoài đồng
vo bao thuoc bao ve thuc vat thon tam | pesticide | 8 |
lấn chiếm vỉa hè trước cổng chợ thôn 5 | encroachment | 5 | trước cổng chợ
lan chiem via he thon 5 | encroachment | 5 |
nhà hàng xóm rào đường ngõ xóm thôn 10 | encroachment | 10 | ngõ xóm
do cat ra duong truoc nha van hoa | encroachment | | truoc nha van hoa
chiếm lòng đường để vật liệu ra đường | encroachment | |
xay lan ra duong thon 12 | encroachment | 12 |
bán hàng lấn đường | vending | |
ban hang lan duong cong cho | vending | | cong cho
họp chợ dưới lòng đường thôn 5 | vending | 5 |
cho coc hop o nga tu thon 7 | vending | 7 | nga tu
buôn bán trên vỉa hè trước trường tiểu học | vending | | trước trường tiểu học
hang rong dung day cong truong | vending | | cong truong
bán cá tràn ra đường ở đầu chợ | vending | | đầu chợ
xe đỗ kín vỉa hè | parking | |
xe do kin via he | parking | |
ô tô đỗ chắn lối vào nhà văn hoá thôn 3 | parking | 3 | nhà văn hoá
oto do long duong thon 5 | parking | 5 |
xe tai do dau cau ca ngay | parking | | dau cau
đỗ xe sai quy định trước uỷ ban | parking | | trước uỷ ban
xe container đỗ ở cây xăng | parking | | cây xăng
phơi thóc kín đường thôn 8 | rice_drying | 8 |
phoi thoc tren duong lien thon | rice_drying | |
phơi rơm ra đường thôn 14 | rice_drying | 14 |
dân phơi lúa hết mặt đường | rice_drying | |
dựng rạp cưới chắn đường thôn 6 | tent | 6 |
rap dam ma kin duong thon 2 | tent | 2 |
đám cưới dựng rạp giữa đường | tent | |
karaoke ầm ĩ cả đêm thôn 9 | noise | 9 |
hat karaoke to qua ko ngu dc | noise | |
loa kẹo kéo ồn ào ở sân kho | noise | | sân kho
xưởng gỗ làm ồn ban đêm thôn 11 | noise | 11 |
mo nhac to thon 20 | noise | 20 |
đèn đường hỏng | streetlight | |
den duong hong o nga ba thon 5 | streetlight | 5 | nga ba
đèn ngõ không sáng thôn 3 | streetlight | 3 |
cot den do truoc cong lang | streetlight | | truoc cong lang
đèn ở đầu làng bị hỏng mấy hôm | streetlight | | đầu làng
duong toi om ko co den thon 16 | streetlight | 16 |
bóng đèn cháy ở ngã tư | streetlight | | ngã tư
điện đường tắt cả tuần thôn 1 | streetlight | 1 |
ổ gà to giữa đường thôn 4 | pothole | 4 |
o ga o doc cau thon 4 | pothole | 4 | doc cau
mất nắp cống trước trạm y tế | pothole | | trước trạm y tế
duong hong nang thon 18 | pothole | 18 |
đường lầy lội quá thôn 19 | pothole | 19 |
cây đổ chắn đường thôn 10 | fallen_tree | 10 |
cay do sau chua | fallen_tree | | sau chua
cành cây gãy trước đình | fallen_tree | | trước đình
cay sap do o cong truong | fallen_tree | | cong truong
dây điện võng thấp ở cổng đình | other | | cổng đình
cho tha rong thon 13 | other | 13 |
mất nước sạch hai ngày rồi | other | |
vỉa hè | encroachment | |
lấn đường, đỗ xe | encroachment/parking | |
den duong hong va o ga | streetlight/pothole | |
rác với đèn đường thôn 3 | streetlight/litter | 3 |
tac cong va cay do thon 2 | drain/fallen_tree | 2 |
Sau nhà văn hoá thôn 3 | | 3 | Sau nhà văn hoá
thon 3, sau nha van hoa | | 3 | sau nha van hoa
thôn 7 | | 7 |
cho thon 3 | | 3 | cho
ho do rac xuong song | litter | | song
cho toi hoi o dau thu rac | | |
thon bay | | 7 |
th 12 nhé | | 12 |
Thôn Mười Hai ạ | | 12 |
thôn hai mươi | | 20 |
thon03 | | 3 |
thôn 3 và 4 | | 3 4 |
thon 3 hoac thon 5 | | 3 5 |
ở thôn 25 | | |
nhà ông Tư thôn 2 | | 2 | nhà ông Tư
gần quán bia Hùng | | | gần quán bia Hùng
thon 11 cay xang duong 10 | | 11 | cay xang duong 10
xin chào | | |
hom nay troi dep qua | | |
cho hỏi bao giờ thu tiền rác | | |
mai may gio hop thon | | |
cảm ơn bot nhiều nhé | | |
tiền điện tháng này bao nhiêu | | |
gia lua bao nhieu | | |
con chó nhà tôi rất ngoan | | |
thôn năm nay vui quá | | |
"""


def rows() -> list[tuple[str, list[str], list[str], str]]:
    table = []
    for line in SAID.strip().splitlines():
        text, category, units, landmark = (cell.strip() for cell in line.split("|"))
        table.append((text, [part for part in category.split("/") if part], units.split(), landmark))
    return table


@pytest.mark.parametrize(("text", "category", "units", "landmark"), rows(), ids=[row[0] for row in rows()])
def test_what_people_say(text: str, category: list[str], units: list[str], landmark: str) -> None:
    guesses = LEXICON.categories(text)
    place = LEXICON.place(text)
    got = (
        sorted(guess.id for guess in guesses[:2])
        if LEXICON.sure(guesses) is None
        else [LEXICON.sure(guesses)],
        [int(unit.removeprefix("thon-")) for unit in place.units],
        place.landmark,
    )
    assert got == (sorted(category), list(map(int, units)), landmark), guesses


def test_the_table_is_long_enough() -> None:
    assert len(rows()) >= 120


@pytest.mark.parametrize("category", COMMUNE.categories.values(), ids=lambda category: category.id)
def test_every_word_of_a_category_points_at_it(category: object) -> None:
    ids = COMMUNE.categories
    for one in ids.values():
        if one == category:
            for word in one.words:
                text = word.replace("…", " ").strip()
                assert one.id in [guess.id for guess in LEXICON.categories(text)[:2]], word


def test_a_slip_of_the_pen_is_asked_not_guessed() -> None:
    guesses = LEXICON.categories("den duonng hog")
    assert guesses[0].id == "streetlight"
    assert LEXICON.sure(guesses) is None


@pytest.mark.parametrize(
    ("text", "first"),
    [("mùi hôi quá", "litter"), ("lại khói", "burning"), ("đổ trộm ở đây", "litter"), ("cống", "drain")],
)
def test_what_only_hints_is_asked_not_guessed(text: str, first: str) -> None:
    guesses = LEXICON.categories(text)
    assert guesses[0].id == first
    assert LEXICON.sure(guesses) is None


@pytest.mark.parametrize(
    ("text", "sure"),
    [
        ("mấy bóng cao áp ngoài đê im ỉm cả tuần", "streetlight"),
        ("quán phở kê bàn ra vỉa hè", "encroachment"),
        ("ở đâu, mỡ để đâu", None),
        ("thon muoi bay", None),
    ],
)
def test_words_put_together(text: str, sure: str | None) -> None:
    assert LEXICON.sure(LEXICON.categories(text)) == sure


@pytest.mark.parametrize(
    ("text", "units", "unknown"),
    [
        ("rác t4 đầy", ("thon-04",), False),
        ("rác đầy từ t4", (), False),
        ("sáng t4 đỗ xe", (), False),
        ("rác thôn hai mốt", (), True),
        ("rác thôn hai một đống", ("thon-02",), False),
        ("rác thôn lăm", ("thon-05",), False),
        ("rác thôn 35", (), True),
    ],
)
def test_villages_by_number(text: str, units: tuple[str, ...], unknown: bool) -> None:
    place = LEXICON.place(text)
    assert (place.units, place.unknown) == (units, unknown)


def test_accents_decide_when_they_are_typed() -> None:
    assert LEXICON.categories("chờ chết mất") == ()
    assert LEXICON.means("đúng", "yes")
    assert not LEXICON.means("đúng", "stop")
    assert LEXICON.means("Dừng!", "stop")
    assert not LEXICON.means("Dừng!", "yes")
    assert LEXICON.means("dung", "yes")
    assert LEXICON.means("DUNG", "stop")


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("dạ đúng rồi ạ", "yes"),
        ("vâng ạ", "yes"),
        ("ok", "yes"),
        ("k", "no"),
        ("ko phải", "no"),
        ("không ạ", "no"),
        ("gui di", "send"),
        ("Gửi phản ánh", "send"),
        ("Đồng ý và gửi", "send"),
        ("huy", "cancel"),
        ("hủy", "cancel"),
        ("sua lai nhe", "edit"),
        ("Không có ảnh", "skip_photo"),
        ("ko co anh", "skip_photo"),
        ("thoi nhan", "stop"),
        ("bat lai", "on"),
        ("huong dan", "help"),
        ("việc tôi đã báo", "lookup"),
        ("bao mot viec", "report"),
        ("em nhận", "take"),
        ("xong rồi ạ", "done"),
        ("dang lam", "in_progress"),
        ("cám ơn nhiều", "thanks"),
        ("alo xã ơi", "greeting"),
        ("xin chào", "greeting"),
    ],
)
def test_whole_messages(text: str, kind: str) -> None:
    assert LEXICON.means(text, kind)


@pytest.mark.parametrize("text", ["dừng xe giữa đường", "dung o cong cho", "", "   ", "…", "đúng" * 40])
def test_only_a_whole_message_counts(text: str) -> None:
    assert not LEXICON.means(text, "stop")
    assert not LEXICON.means(text, "nonsense")


@pytest.mark.parametrize(
    ("text", "kind", "said"),
    [
        ("cháy nhà ở thôn 3", "emergency", True),
        ("danh nhau o cong cho", "emergency", True),
        ("tai nan giao thong", "emergency", True),
        ("đốt rác cháy to", "emergency", True),
        ("đèn đường cháy bóng", "emergency", False),
        ("rác ở cổng chợ", "emergency", False),
        ("rác cạnh nhà tôi", "gives_away", True),
        ("rac canh nha van hoa", "gives_away", False),
        ("trưởng thôn nhận hối lộ", "official", True),
        ("rác", "nonsense", False),
    ],
)
def test_mentions(text: str, kind: str, said: bool) -> None:
    assert LEXICON.mentions(text, kind) is said


@pytest.mark.parametrize("name", COMMANDS)
def test_commands(name: str) -> None:
    assert LEXICON.command(f"/{name}") == name
    assert LEXICON.command(f"/{name}@AnPhuXanhBot thừa") == name
    assert LEXICON.command(name) == name


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("trợ giúp", "trogiup"),
        ("tra cuu", "tracuu"),
        ("Huỷ", "huy"),
        ("xoá dữ liệu", "xoadulieu"),
        ("quyền riêng tư", "quyenriengtu"),
        ("tìm AP-26-00123", "tim"),
        ("tim ap 26 123", "tim"),
        ("/nothing", None),
        ("tìm chó lạc", None),
        ("", None),
    ],
)
def test_plain_commands(text: str, name: str | None) -> None:
    assert LEXICON.command(text) == name


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("AP-26-00123", "AP-26-00123"),
        ("ap 26 123", "AP-26-00123"),
        ("ap2600123", "AP-26-00123"),
        ("nhận ap-26-00123 nhé", "AP-26-00123"),
        ("AP–26–00123", "AP-26-00123"),
        ("ap26001234", None),
        ("AP-26-00000", None),
        ("ap 26", None),
        ("sap 26 123", None),
        ("XY-26-00123", None),
    ],
)
def test_report_codes(text: str, code: str | None) -> None:
    assert LEXICON.report_code(text) == code


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("7K3P-9XQ2", "7K3P-9XQ2"),
        ("7k3p 9xq2", "7K3P-9XQ2"),
        ("7k3p9xq2", "7K3P-9XQ2"),
        (" 7K3P - 9XQ2 ", "7K3P-9XQ2"),
        ("/start 7k3p9xq2", "7K3P-9XQ2"),
        ("/start@AnPhuXanhBot 7K3P-9XQ2", "7K3P-9XQ2"),
        ("ABCD-EFGH", None),
        ("7K3P-9XQ2 ạ", None),
        ("ngay 2024", None),
        ("0912 3456", None),
        ("20241231", None),
        ("thon 123", None),
        ("nhanh len", None),
        ("AP26-0123", None),
        ("OK3P-9XQ2", None),
        ("", None),
    ],
)
def test_invite_codes(text: str, code: str | None) -> None:
    assert LEXICON.invite_code(text) == code


@pytest.mark.parametrize(
    "text",
    [
        "https://www.google.com/maps/@20.98,106.39,17z",
        "https://www.google.com/maps/place/X/@20.1,106.1,17z/data=!3m1!4b1!4m5!3m4!1s0!8m2!3d20.98!4d106.39",
        "https://maps.google.com/?q=20.98,106.39",
        "https://maps.google.com/maps?q=20.98%2C106.39&z=17",
        "https://www.google.com/maps/search/?api=1&query=20.98,106.39",
        "https://www.google.com/maps/search/20.98,+106.39?entry=tts",
        "https://www.openstreetmap.org/#map=17/20.98/106.39",
        "https://www.openstreetmap.org/?mlat=20.98&mlon=106.39#map=5/1.0/2.0",
        "https://maps.apple.com/?ll=20.98,106.39&q=X",
        "https://maps.apple.com/place?coordinate=20.98,106.39",
        "geo:20.98,106.39",
        "20.98, 106.39",
        "chỗ này 20.98 106.39 ạ",
        "20°58'48.0\"N 106°23'24.0\"E",
    ],
)
def test_map_points(text: str) -> None:
    point = LEXICON.map_point(text)
    assert point is not None
    assert (point.lat, point.lon) == pytest.approx((20.98, 106.39))


@pytest.mark.parametrize(
    "text", ["99.98, 106.39", "thôn 3, 4", "12.5 kg, 3.5 m", "1.20.98,106.39", "ngày 20.10, 30.11.2026", ""]
)
def test_no_map_point(text: str) -> None:
    assert LEXICON.map_point(text) is None


@pytest.mark.parametrize(
    ("text", "link"),
    [
        ("đây ạ https://maps.app.goo.gl/AbC123.", "https://maps.app.goo.gl/AbC123"),
        ("https://goo.gl/maps/AbC123", "https://goo.gl/maps/AbC123"),
        ("http://maps.app.goo.gl/AbC123", None),
        ("https://maps.app.goo.gl.evil.example/AbC", None),
        ("https://maps.app.goo.gl@evil.example/AbC", None),
        ("https://user@maps.app.goo.gl/AbC", None),
        ("https://maps.app.goo.gl:444/AbC", None),
        ("https://goo.gl/AbC123", None),
        ("https://goo.gl/maps/", None),
        ("https://[bad/", None),
    ],
)
def test_short_links(text: str, link: str | None) -> None:
    assert LEXICON.short_map_link(text) == link


def test_real_names_and_aliases() -> None:
    text = FILE.read_text()
    text = text.replace(
        'name = "Thôn 1"\naliases = ["thon 1", "th1"]', 'name = "Làng Sen"\naliases = ["xóm chùa"]'
    )
    text = text.replace(
        'name = "Thôn 2"\naliases = ["thon 2", "th2"]', 'name = "Nghĩa Lộ"\naliases = ["thôn nghĩa lộ"]'
    )
    lexicon = Lexicon(parse_commune(text))
    assert lexicon.place("rác ở xóm chùa").units == ("thon-01",)
    assert lexicon.place("rac o xom trua").units == ("thon-01",)
    assert lexicon.place("nang xen").units == ("thon-01",)
    assert lexicon.place("thon 1").units == ()
    assert lexicon.place("thon nghia lo").units == ("thon-02",)
    nearly = lexicon.place("rac o thon nghiaa lo")
    assert nearly.units == ()
    assert nearly.near == ("thon-02",)


METHODS: list[Callable[[str], object]] = [
    LEXICON.categories,
    LEXICON.place,
    LEXICON.command,
    LEXICON.report_code,
    LEXICON.invite_code,
    LEXICON.map_point,
    LEXICON.short_map_link,
    lambda text: LEXICON.means(text, "yes"),
    lambda text: LEXICON.mentions(text, "emergency"),
]


@given(
    st.text(max_size=300)
    | st.lists(st.sampled_from(["rác", "thôn", "3", "…", "và", "ở", "đèn", "cong", "cho", "AP", "26"])).map(
        " ".join
    )
)
@settings(max_examples=150, deadline=None)
def test_nothing_anybody_types_breaks_it(text: str) -> None:
    for method in METHODS:
        method(text)
    place = LEXICON.place(text)
    assert set(place.units) <= set(COMMUNE.units)


@pytest.mark.parametrize(
    "unit", ["rác ", "a", "thôn 3 ", "20.98,", "https://", "-", "0", "\u0300\u0316", "đèn ở "]
)
def test_huge_messages_are_quick(unit: str) -> None:
    text = unit * (100_000 // len(unit))
    start = time.perf_counter()
    for method in METHODS:
        method(text)
    assert time.perf_counter() - start < 1


def test_the_points_are_points() -> None:
    assert LEXICON.map_point("20.98, 106.39") == Point(20.98, 106.39)
