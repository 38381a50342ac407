"""Texts in any encoding that can be told, and the way back to their bytes."""

import codecs

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from toolkit.search.reading.decoding import NotText, clean, decode

SENTENCES = {
    "Der Bürgermeister eröffnete die Brücke über den Fluß; für Fußgänger gibt es Wege.": "cp1252 mac_roman cp850",
    "L'été dernier, nous avons visité un château près de la forêt. Où étaient les élèves ?": "cp1252 cp850",
    "El año pasado la señora compró una casa pequeña en las montañas.": "cp1252",
    "Zażółć gęślą jaźń. W zeszłym roku wieś była spokojniejsza.": "cp1250 iso8859-2",
    "Příliš žluťoučký kůň úpěl ďábelské ódy.": "cp1250 iso8859-2",
    "В прошлом году мы ездили на море, где провели две недели.": "cp1251 koi8-r cp866 iso8859-5",
    "Πέρυσι πήγαμε στη θάλασσα και μείναμε εκεί δύο εβδομάδες.": "cp1253 iso8859-7",
    "Geçen yıl denize gittik ve orada iki hafta kaldık. Akşamları şarkılar söyledik.": "cp1254",
    "昨年の夏、私たちは海へ行き、二週間そこに滞在しました。": "shift_jis euc_jp",
    "去年夏天我们去了海边，在那里住了两个星期。天气非常好，孩子们每天都游泳。": "gbk gb18030",
    "去年夏天我們去了海邊，在那裡住了兩個星期。天氣非常好，孩子們每天都游泳。": "big5",
    "작년 여름에 우리는 바다에 가서 이 주일 동안 머물렀습니다.": "euc_kr",
}


@pytest.mark.parametrize(
    ("text", "encoding"), [(text, each) for text, encodings in SENTENCES.items() for each in encodings.split()]
)
def test_an_encoding_that_nobody_says_is_told_by_its_letters(text: str, encoding: str) -> None:
    for number in (1, 40):
        assert decode((text * number).encode(encoding)).text == text * number


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_a_mark_at_the_beginning_is_believed_and_left_out(encoding: str) -> None:
    assert decode("Größe\r\nПривет\r海\n".encode(encoding)).text == "Größe\nПривет\n海\n"


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_utf_16_without_a_mark_is_told_by_its_zeros(encoding: str) -> None:
    assert decode("Plain words, größer.".encode(encoding)).text == "Plain words, größer."


@pytest.mark.parametrize(
    "head",
    ['<meta charset="{}">', '<?xml version="1.0" encoding="{}"?>', "# -*- coding: {} -*-", "# vim: fileencoding={}"],
)
def test_what_a_text_says_of_itself_is_believed_where_it_fits(head: str) -> None:
    text = head.format("koi8-r") + "\nЩ\n"
    assert decode(text.encode("koi8-r")).text == text


def test_what_the_sender_says_comes_before_a_guess() -> None:
    assert decode("ъ".encode("koi8-r"), "koi8-r").text == "ъ"


@pytest.mark.parametrize(
    "charset", ["utf-7", "unicode_escape", "rot13", "base64", "idna", "no-such", "iso-2022-jp", "hz"]
)
def test_a_charset_that_is_none_of_texts_is_passed_over(charset: str) -> None:
    assert decode("später".encode("cp1252"), charset).encoding == "cp1252"


@pytest.mark.parametrize(
    "data", [b"\xff" * 3 + b"\0", bytes(range(128, 256)), codecs.BOM_UTF16_LE + b"a", b"\x01\x02\x03"]
)
def test_what_is_no_text_is_refused(data: bytes) -> None:
    with pytest.raises(NotText):
        decode(data)


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.sampled_from(["", "word", "Größe", "海へ", "😀", "\f", "a\tb", " "]), max_size=12),
    st.sampled_from(["\n", "\r\n", "\r"]),
    st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-32"]),
)
def test_every_line_is_found_again_in_the_bytes(lines: list[str], end: str, encoding: str) -> None:
    data = end.join(lines).encode(encoding)
    found = decode(data)
    assert found.text == clean(end.join(lines))
    if found.source_map is None:
        assert data.decode(found.encoding) == found.text
    else:
        assert found.source_map.starts is not None
        assert found.source_map.ends is not None
        places = zip(found.source_map.starts, found.source_map.ends, strict=True)
        assert [data[start:stop].decode(found.encoding) for start, stop in places] == found.text.split("\n")


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_are_a_text_or_refused(data: bytes) -> None:
    try:
        found = decode(data)
    except NotText:
        return
    assert "\0" not in found.text
    assert found.text.encode() or not data.strip()
