"""Word files, slides and workbooks."""

from pathlib import Path

import pytest

from tests.search.reading.made import R, docx, paragraph, pptx, row, shape, xlsx
from toolkit.search.cutting.chunker import cut
from toolkit.search.documents import Chunk, Loaded
from toolkit.search.reading.loader import parse

STYLES = """
<w:style w:styleId="T"><w:name w:val="Title"/></w:style>
<w:style w:styleId="H1"><w:name w:val="heading 1"/></w:style>
<w:style w:styleId="H2"><w:name w:val="heading 2"/></w:style>
<w:style w:styleId="Own"><w:name w:val="My style"/><w:basedOn w:val="H2"/></w:style>
<w:style w:styleId="Lvl"><w:name w:val="Other"/><w:pPr><w:outlineLvl w:val="2"/></w:pPr></w:style>
"""


def loaded(data: bytes, name: str) -> Loaded:
    document = parse(data, Path(name), name)
    assert isinstance(document, Loaded)
    assert document.encoding is None
    return document


def chunks(document: Loaded) -> list[Chunk]:
    found = cut(document, "c")
    assert all(chunk.byte_start is chunk.byte_end is None for chunk in found)
    return found


def test_a_word_file_becomes_markdown() -> None:
    cell = "<w:tc>{}</w:tc>".format
    table = "".join(
        f"<w:tr>{cell(paragraph(a))}{cell(paragraph(b) + paragraph('more'))}</w:tr>" for a, b in ("AB", "12")
    )
    body = (
        paragraph("A report", "T")
        + paragraph("Herons", "H1")
        + paragraph("They fish &amp; stand.")
        + paragraph("at dawn", properties="<w:numPr/>")
        + paragraph("at dusk", properties="<w:numPr/>")
        + paragraph("Nests", "Own")
        + f"<w:tbl>{table}</w:tbl>"
        + paragraph("Eggs", "Lvl")
        + "<w:p><w:r><w:t>one</w:t><w:tab/><w:t>two</w:t><w:br/><w:t>three</w:t></w:r>"
        + "<w:del><w:r><w:delText>gone</w:delText></w:r></w:del></w:p>"
        + paragraph("# not a heading")
    )
    notes = f"<w:footnotes xmlns:w='x'><w:footnote>{paragraph('A note.')}</w:footnote></w:footnotes>"
    document = loaded(docx(body, STYLES, word__footnotes_xml="", **{"word__footnotes.xml": notes}), "a.docx")
    assert (document.kind, document.title) == ("docx", "A report")
    assert document.text == (
        "# A report\n\n# Herons\n\nThey fish & stand.\n\n- at dawn\n- at dusk\n\n## Nests\n\n"
        "| A | B more |\n| 1 | 2 more |\n\n### Eggs\n\none two\nthree\n\n\\# not a heading\n\nA note."
    )


def test_a_chunk_of_a_word_file_stands_under_its_headings() -> None:
    body = paragraph("One", "H1") + paragraph("word " * 90) + paragraph("Two", "H2") + paragraph("word " * 90)
    assert [chunk.heading for chunk in chunks(loaded(docx(body, STYLES), "a.docx"))] == ["One", "One › Two"]


def test_the_title_in_the_properties_comes_first() -> None:
    properties = "<cp:coreProperties xmlns:cp='c' xmlns:dc='d'><dc:title> The  title </dc:title></cp:coreProperties>"
    document = loaded(docx(paragraph("Words", "T"), STYLES, **{"docProps__core.xml": properties}), "a.docx")
    assert document.title == "The title"


def test_slides_come_in_their_order_with_titles_tables_and_notes() -> None:
    table = "<a:tbl><a:tr><a:tc><a:txBody><a:p><a:r><a:t>x</a:t></a:r></a:p></a:txBody></a:tc><a:tc/></a:tr></a:tbl>"
    first = shape("point one\npoint two") + shape("Herons", "title") + shape("1", "sldNum")
    document = loaded(pptx(first, f"<p:graphicFrame>{table}</p:graphicFrame>", notes={0: "say this"}), "a.pptx")
    assert document.text == "Herons\npoint one\npoint two\n\nNotes:\nsay this\n\n| x |  |"
    assert (document.kind, document.title) == ("pptx", "Herons")


def test_a_chunk_of_slides_says_which() -> None:
    slides = [shape(f"Title {n}", "title") + shape(f"word {n} " * (30 if n < 3 else 2)) for n in range(1, 6)]
    found = chunks(loaded(pptx(*slides), "a.pptx"))
    assert [(chunk.heading, chunk.place, chunk.page) for chunk in found] == [
        ("Title 1", "slide 1", 1),
        ("Title 2", "slide 2", 2),
        ("Title 3 · Title 4 · Title 5", "slides 3–5", 3),
    ]


def test_a_workbook_becomes_records_that_name_their_values() -> None:
    others = '<c r="A4" t="s"><v>0</v></c><c t="s"><v>9</v></c><c s="3"><v>4</v></c>'
    dates = '<c r="A3" s="1"><v>45000</v></c><c r="B3" s="2"><v>45000.75</v></c><c r="D3" t="b"><v>1</v></c>'
    styles = (
        '<numFmts><numFmt numFmtId="164" formatCode="yyyy\\-mm"/><numFmt numFmtId="165" formatCode="0.0&quot;s&quot;"/>'
        '</numFmts><cellXfs><xf numFmtId="0"/><xf numFmtId="14"/><xf numFmtId="164"/><xf numFmtId="165"/></cellXfs>'
    )
    sheets = {
        "Costs": row(1, "Item", "Price", "Note") + row(2, "Pen", "1.5") + row(5, "Ink", "7", "black"),
        "Empty": "",
        "Dates": f'<row r="3">{dates}</row><row r="4">{others}</row>',
    }
    document = loaded(xlsx(sheets, ["shared"], styles), "a.xlsx")
    assert document.kind == "table"
    assert document.text.split("\n") == [
        "Columns: Item, Price, Note",
        "Item: Pen | Price: 1.5",
        "Item: Ink | Price: 7 | Note: black",
        "",
        "2023-03-15 | 2023-03-15 18:00:00 | TRUE",
        "shared | 4",
    ]


def test_a_chunk_of_a_workbook_says_its_sheet_and_its_rows() -> None:
    rows = row(1, "Name", "Text") + "".join(row(n, f"Heron {n}", "words " * 20) for n in range(2, 40))
    found = chunks(loaded(xlsx({"Birds": rows, "Other": row(1, "x", "words " * 60)}), "a.xlsx"))
    assert {chunk.heading for chunk in found} == {"Birds", "Other"}
    assert found[0].place == "sheet Birds, rows 1–9"
    assert found[-1].place == "sheet Other, row 1"
    assert all(chunk.text.startswith("Name: Heron") for chunk in found[1:-1])


def test_an_absolute_part_and_a_strict_namespace_are_understood() -> None:
    sheets = '<x:sheets><x:sheet name="A" sheetId="1" r:id="s1"/></x:sheets>'
    book = f'<x:workbook xmlns:x="http://purl.oclc.org/ooxml/spreadsheetml/main" {R}>{sheets}</x:workbook>'
    data = xlsx({"A": row(1, "a", "b")}, **{"xl__workbook.xml": book})
    assert loaded(data, "a.xlsx").text == "a | b"


@pytest.mark.parametrize("name", ["a.docm", "a.pptm", "a.xlsm"])
def test_files_with_macros_are_read_like_those_without(name: str) -> None:
    data = {"a.docm": docx(paragraph("x")), "a.pptm": pptx(shape("x")), "a.xlsm": xlsx({"A": row(1, "x")})}[name]
    assert loaded(data, name).text == "x"
