"""Markdown as HTML that may stand in a notebook, although a model wrote it.

JupyterLab runs what stands in HTML and in its own Markdown, and fetches their pictures. So raw HTML is shown as text,
there are no pictures, links lead outside and only to the web or to mail, and what is left goes through an allow-list.
"""

from collections.abc import Callable
from functools import cache
from html import escape

_TAGS = {
    *("p", "br", "hr", "h1", "h2", "h3", "h4", "h5", "h6", "blockquote", "ul", "ol", "li"),
    *("strong", "em", "s", "code", "pre", "a", "table", "thead", "tbody", "tr", "th", "td"),
}


def render(markdown: str) -> str:
    """`markdown` as safe HTML; as escaped plain text where the extra `notebook` is not installed."""
    return _renderer()(markdown)


@cache
def _renderer() -> Callable[[str], str]:
    try:
        import nh3  # noqa: PLC0415 - of an extra that may be missing
        from markdown_it import MarkdownIt  # noqa: PLC0415 - of an extra that may be missing
    except ImportError:
        return as_text
    parser = MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"]).disable("image")
    cleaner = nh3.Cleaner(
        tags=_TAGS,
        attributes={"a": {"href", "title"}, "ol": {"start"}, "th": {"style"}, "td": {"style"}},
        filter_style_properties={"text-align"},
        url_schemes={"http", "https", "mailto"},
        url_relative="deny",
        link_rel="noopener noreferrer",
        set_tag_attribute_values={"a": {"target": "_blank"}},
    )
    return lambda markdown: cleaner.clean(parser.render(markdown))


def as_text(text: str) -> str:
    """`text` as it is, every character of it."""
    return f'<pre class="toolkit-text">{escape(text)}</pre>'
