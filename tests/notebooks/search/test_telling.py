from notebooks.search.telling import holding, told
from toolkit.search.documents import IngestReport, Status


def test_vectors_that_are_still_to_be_made_are_counted() -> None:
    html = holding(Status(2, 40, pending=10), "handbook")
    assert "handbook: 2 documents · 40 passages" in html
    assert '<progress max="40" value="30"' in html
    assert "10 vectors still to be made" in html


def test_an_index_that_is_whole_says_so() -> None:
    html = holding(Status(1, 1), None)
    assert "All collections: 1 document · 1 passage · found by words and meaning" in html
    assert "progress" not in html


def test_a_collection_that_is_not_there_is_said() -> None:
    assert "There is no collection handbook yet." in holding(None, "handbook")


def test_a_report_names_what_was_left_out_and_why() -> None:
    html = told(IngestReport(2, 0, 1, 0, (("<b>.jpg", "binary"),), 3, 12), "handbook")
    assert "handbook: 3 documents (2 added, 1 unchanged), 12 passages." in html
    assert "1 file left out, and why" in html
    assert "<span>&lt;b&gt;.jpg</span> binary" in html
