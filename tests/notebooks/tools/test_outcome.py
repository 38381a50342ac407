from notebooks.tools.outcome import answered, as_code, failed, tree
from toolkit.tools.tool import ToolResult


def test_a_text_is_rendered_as_markdown_that_may_do_nothing() -> None:
    html = answered(ToolResult("", {"result": "**bold** <script>x</script>"}), 41)
    assert "<strong>bold</strong>" in html
    assert "<script" not in html
    assert "41 ms" in html


def test_a_list_of_like_things_is_a_table_with_numbers_to_the_right() -> None:
    html = tree([{"name": "a", "bytes": 1}, {"name": "b", "bytes": 2}])
    assert '<th scope="col">name</th>' in html
    assert html.count('style="text-align: right"') == 3


def test_other_data_is_a_tree_that_unfolds() -> None:
    html = tree({"hits": [{"source": "a.md", "lines": [1, 2]}], "none": None})
    assert "<dt>hits</dt>" in html
    assert "<summary>1 entry</summary>" in html
    assert "<summary>a.md · 2 values</summary>" in html
    assert "<code>null</code>" in html


def test_a_long_list_is_counted() -> None:
    assert "… and 250 more" in tree(list(range(300)))


def test_an_error_is_text() -> None:
    assert "&lt;b&gt;" in failed("<b>", 3)


def test_the_call_as_code_is_awaited_only_where_the_toolkit_is() -> None:
    assert as_code("it", {"a": [True, None, "'"]}, waits=True) == """tk.tools.call("it", {"a": [True, None, "'"]})"""
    assert as_code("it", {}, waits=False) == 'await tk.tools.call("it", {})'
