"""Files that programs write, made by hand, whole or broken."""

from collections.abc import Mapping, Sequence
from io import BytesIO
from zipfile import ZIP_DEFLATED, ZipFile

W = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
A = 'xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main"'
P = 'xmlns:p="http://schemas.openxmlformats.org/presentationml/2006/main"'
R = 'xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"'
S = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
_RELATIONS = "http://schemas.openxmlformats.org/package/2006/relationships"
_KINDS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"


def packed(parts: Mapping[str, str | bytes]) -> bytes:
    file = BytesIO()
    with ZipFile(file, "w", ZIP_DEFLATED) as package:
        for name, text in parts.items():
            package.writestr(name, text)
    return file.getvalue()


def relations(*targets: tuple[str, str, str]) -> str:
    rows = "".join(f'<Relationship Id="{i}" Type="{_KINDS}/{kind}" Target="{to}"/>' for i, kind, to in targets)
    return f'<Relationships xmlns="{_RELATIONS}">{rows}</Relationships>'


def docx(body: str, styles: str = "", **more: str | bytes) -> bytes:
    return packed(
        {
            "_rels/.rels": relations(("r1", "officeDocument", "word/document.xml")),
            "word/_rels/document.xml.rels": relations(
                ("r1", "styles", "styles.xml"), ("r2", "footnotes", "footnotes.xml")
            ),
            "word/document.xml": f"<w:document {W}><w:body>{body}</w:body></w:document>",
            "word/styles.xml": f"<w:styles {W}>{styles}</w:styles>",
            **{name.replace("__", "/"): part for name, part in more.items()},
        }
    )


def paragraph(text: str, style: str = "", properties: str = "") -> str:
    said = f'<w:pStyle w:val="{style}"/>' if style else ""
    return f"<w:p><w:pPr>{said}{properties}</w:pPr><w:r><w:t>{text}</w:t></w:r></w:p>"


def pptx(*slides: str, notes: Mapping[int, str] | None = None) -> bytes:
    parts: dict[str, str | bytes] = {"_rels/.rels": relations(("r1", "officeDocument", "ppt/presentation.xml"))}
    ids = "".join(f'<p:sldId id="{256 + n}" r:id="s{n}"/>' for n in range(len(slides)))
    parts["ppt/presentation.xml"] = f"<p:presentation {P} {R}><p:sldIdLst>{ids}</p:sldIdLst></p:presentation>"
    # The files are numbered the other way round: their names say nothing about the order.
    names = [f"slide{len(slides) - n}.xml" for n in range(len(slides))]
    parts["ppt/_rels/presentation.xml.rels"] = relations(
        *((f"s{n}", "slide", f"slides/{x}") for n, x in enumerate(names))
    )
    for n, (name, slide) in enumerate(zip(names, slides, strict=True)):
        parts[f"ppt/slides/{name}"] = f"<p:sld {P} {A}><p:cSld><p:spTree>{slide}</p:spTree></p:cSld></p:sld>"
        if notes and n in notes:
            parts[f"ppt/slides/_rels/{name}.rels"] = relations(("n", "notesSlide", f"../notesSlides/n{n}.xml"))
            parts[f"ppt/notesSlides/n{n}.xml"] = (
                f"<p:notes {P} {A}>{shape(notes[n], 'body')}{shape('7', 'sldNum')}</p:notes>"
            )
    return packed(parts)


def shape(text: str, kind: str = "") -> str:
    holder = f'<p:nvSpPr><p:nvPr><p:ph type="{kind}"/></p:nvPr></p:nvSpPr>' if kind else ""
    lines = "".join(f"<a:p><a:r><a:t>{line}</a:t></a:r></a:p>" for line in text.split("\n"))
    return f"<p:sp>{holder}<p:txBody>{lines}</p:txBody></p:sp>"


def xlsx(sheets: Mapping[str, str], shared: Sequence[str] = (), styles: str = "", **more: str | bytes) -> bytes:
    """Sheets by name, each the inside of its `sheetData`."""
    listed = "".join(f'<sheet name="{name}" sheetId="{n}" r:id="s{n}"/>' for n, name in enumerate(sheets, 1))
    strings = "".join(f"<si><t>{text}</t></si>" for text in shared)
    return packed(
        {
            "_rels/.rels": relations(("r1", "officeDocument", "xl/workbook.xml")),
            "xl/workbook.xml": f"<workbook {S} {R}><sheets>{listed}</sheets></workbook>",
            "xl/_rels/workbook.xml.rels": relations(
                *((f"s{n}", "worksheet", f"worksheets/{n}.xml") for n in range(1, len(sheets) + 1)),
                ("x1", "sharedStrings", "sharedStrings.xml"),
                ("x2", "styles", "/xl/styles.xml"),
            ),
            **{
                f"xl/worksheets/{n}.xml": f"<worksheet {S}><sheetData>{rows}</sheetData></worksheet>"
                for n, rows in enumerate(sheets.values(), 1)
            },
            "xl/sharedStrings.xml": f"<sst {S}>{strings}</sst>",
            "xl/styles.xml": f"<styleSheet {S}>{styles}</styleSheet>",
            **{name.replace("__", "/"): part for name, part in more.items()},
        }
    )


def row(number: int, *cells: str) -> str:
    """A row of texts and numbers; what is no number is kept inside of the cell."""
    made = "".join(
        f'<c r="{chr(65 + n)}{number}"><v>{cell}</v></c>'
        if cell.replace(".", "").isdecimal()
        else f'<c r="{chr(65 + n)}{number}" t="inlineStr"><is><t>{cell}</t></is></c>'
        for n, cell in enumerate(cells)
        if cell
    )
    return f'<row r="{number}">{made}</row>'


def pdf(
    *pages: Sequence[str],
    outline: Sequence[tuple[str, int]] = (),
    title: str = "",
    kids: str | None = None,
    encrypt: str = "",
) -> bytes:
    """A PDF with lines of Latin letters on each page.

    Args:
        pages: the lines of each.
        outline: `(title, page)`, pages counted from 0.
        title: in its properties.
        kids: what stands in place of the list of pages.
        encrypt: an entry of the trailer.
    """
    first = 6 + len(outline)
    numbers = [first + 2 * n for n in range(len(pages))]
    objects = {
        1: "<< /Type /Catalog /Pages 2 0 R /Outlines 5 0 R >>",
        2: f"<< /Type /Pages /Kids [{kids or ' '.join(f'{n} 0 R' for n in numbers)}] /Count {len(pages)} >>",
        3: "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
        4: f"<< /Title ({title}) >>",
        5: f"<< /Type /Outlines /Count {len(outline)}"
        + (f" /First 6 0 R /Last {first - 1} 0 R >>" if outline else " >>"),
    }
    for n, (name, page) in enumerate(outline):
        after = f" /Next {7 + n} 0 R" if n + 1 < len(outline) else ""
        before = f" /Prev {5 + n} 0 R" if n else ""
        objects[6 + n] = f"<< /Title ({name}) /Parent 5 0 R /Dest [{numbers[page]} 0 R /Fit]{before}{after} >>"
    for number, lines in zip(numbers, pages, strict=True):
        drawn = "".join(f"({line}) Tj 0 -14 Td " for line in lines)
        stream = f"BT /F1 11 Tf 50 780 Td {drawn}ET"
        objects[number] = (
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents {number + 1} 0 R "
            "/Resources << /Font << /F1 3 0 R >> >> >>"
        )
        objects[number + 1] = f"<< /Length {len(stream)} >>\nstream\n{stream}\nendstream"
    out, places = b"%PDF-1.4\n", {}
    for number, body in sorted(objects.items()):
        places[number] = len(out)
        out += f"{number} 0 obj\n{body}\nendobj\n".encode("latin-1")
    table = "".join(f"{places[n]:010d} 00000 n \n" for n in sorted(places))
    trailer = f"<< /Size {len(places) + 1} /Root 1 0 R /Info 4 0 R {encrypt} >>"
    start = len(out)
    end = f"trailer\n{trailer}\nstartxref\n{start}\n%%EOF"
    return out + f"xref\n0 {len(places) + 1}\n0000000000 65535 f \n{table}{end}".encode()
