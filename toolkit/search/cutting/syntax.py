"""Code of other languages than Python, cut at its definitions by tree-sitter where a grammar is installed.

A grammar is a package `tree_sitter_<language>`; those of the extra `code` are found, and any other that is installed.
"""

import re
from collections.abc import Iterator, Sequence
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING

from toolkit.search.cutting.blocks import Block, paragraphs, with_comments

if TYPE_CHECKING:
    from tree_sitter import Language, Node

_FUNCTIONS = {"typescript": "language_tsx", "php": "language_php"}  # the others have one grammar, called `language`
_NAMES = {"csharp": "c_sharp"}
_DEFINES = re.compile(
    r"(?:\w+_)?(?:function|method|class|struct|enum|union|interface|trait|impl|module|mod|namespace|record|object"
    r"|constructor|type_alias|type|macro)(?:_\w+)?"
)
_IS_NONE = re.compile(r".*(?:call|expression|identifier|body|list|arguments|parameters?|_type|import\w*|specifiers?)$")
_SAID_AS_SPECIFIER = frozenset({"class_specifier", "struct_specifier", "enum_specifier", "union_specifier"})
_WRAPS = frozenset(
    {"export_statement", "decorated_definition", "template_declaration", "lexical_declaration", "declaration"}
    | {"linkage_specification", "declaration_list", "preproc_ifdef", "preproc_if", "variable_declaration"}
)
_HOLDS = re.compile(
    r"(?:class|struct|interface|trait|impl|module|mod|namespace|object|enum)(?:_|$)|.*_(?:item|module)$"
)
_COMMENTS = ("//", "/*", "*", "#", "--", "@", "[")
_DEEPEST = 8  # definitions within definitions; generated code is deeper, and no one reads its path
_MOST_NAME = 80
_CLOSES = re.compile(r"(?:[\s})\];]|end\b)*")


def code(lines: Sequence[str], language: str, most: int) -> list[Block]:
    """Definitions with what stands directly above them, and the paragraphs between them.

    A class, module or namespace larger than `most` characters is given as its head and what it defines. Without a
    grammar for the language, or where the text has nothing to do with it, the paragraphs are given.
    """
    grammar = _grammar(language)
    if grammar is None:
        return paragraphs(lines)
    from tree_sitter import Parser  # noqa: PLC0415 - comes with the extra `code`

    tree = Parser(grammar).parse("\n".join(lines).encode("utf-8", "replace"))
    return list(_closed(lines, _definitions(lines, tree.root_node, Block(1, len(lines)), most, 0)))


@cache
def _grammar(language: str) -> "Language | None":
    name = _NAMES.get(language, language)
    try:
        from tree_sitter import Language  # noqa: PLC0415 - comes with the extra `code`

        module = import_module(f"tree_sitter_{name}")
        return Language(getattr(module, _FUNCTIONS.get(name, "language"))())
    except (ImportError, AttributeError, ValueError, TypeError):  # not installed, or made for another tree-sitter
        return None


def _definitions(lines: Sequence[str], parent: "Node", span: Block, most: int, depth: int) -> Iterator[Block]:
    """The blocks of `span`, which are the lines of `parent`."""
    start = span.start
    for node, name in _defining(parent, 0):
        first, last = node.start_point.row + 1, node.end_point.row + 1
        if node.end_point.column == 0 and last > first:
            last -= 1  # a node that takes the line's end with it
        if first < start or last > span.end:
            continue  # two definitions share a line
        first = with_comments(lines, first, start, *_COMMENTS)
        yield from paragraphs(lines, start, first - 1, span.path)
        whole = Block(first, last, (*span.path, name))
        is_large = sum(len(line) + 1 for line in lines[first - 1 : last]) > most
        if is_large and depth < _DEEPEST and _HOLDS.match(_inner(node).type):
            yield from _definitions(lines, _inner(node), whole, most, depth + 1)
        else:
            yield from _trimmed(lines, whole)
        start = last + 1
    yield from paragraphs(lines, start, span.end, span.path)


def _closed(lines: Sequence[str], blocks: Iterator[Block]) -> Iterator[Block]:
    """The blocks, those that only close what others began together with the block before them."""
    held: Block | None = None
    for block in blocks:
        if held is not None and _CLOSES.fullmatch("".join(lines[block.start - 1 : block.end]).strip()[:_MOST_NAME]):
            held = held._replace(end=block.end)
            continue
        if held is not None:
            yield held
        held = block
    if held is not None:
        yield held


def _defining(parent: "Node", depth: int) -> Iterator[tuple["Node", str]]:
    """The nodes below `parent` that define something, outermost first, with what they are called."""
    for node in parent.named_children:
        if name := _called(node):
            yield node, name
        elif depth < _DEEPEST and (node.type in _WRAPS or node.type.endswith(("body", "block", "list"))):
            yield from _defining(node, depth + 1)


def _inner(node: "Node") -> "Node":
    """The definition within an `export`, a template or a decorator."""
    if node.type in _WRAPS:
        return next((child for child in node.named_children if _is_definition(child)), node)
    return node


def _is_definition(node: "Node") -> bool:
    if node.type in _SAID_AS_SPECIFIER:
        return node.child_by_field_name("body") is not None
    return bool(_DEFINES.fullmatch(node.type)) and not _IS_NONE.match(node.type)


def _called(node: "Node") -> str:
    """What a definition is called, with the word that it begins with; empty for what defines nothing."""
    inner = _inner(node)
    if not _is_definition(inner):
        return _assigned(node)
    named, declarator = inner.child_by_field_name("name"), inner.child_by_field_name("declarator")
    while named is None and declarator is not None:  # C: `int *f(void)` is a pointer to what f gives
        named = declarator if not declarator.child_by_field_name("declarator") else None
        declarator = declarator.child_by_field_name("declarator")
    named = named or inner.child_by_field_name("type")
    if named is None:
        named = next((child for child in inner.named_children if _names(child)), None)
    if named is None or not named.text:
        return ""
    kind = next((word for word in _KINDS if word in inner.type), "")
    return f"{kind} {_words(named)}".strip()


_KINDS = ("class", "struct", "enum", "union", "interface", "trait", "impl", "module", "namespace", "record")


def _names(node: "Node") -> bool:
    if node.type.endswith("_spec"):
        return True
    return node.type.endswith("identifier")


def _assigned(node: "Node") -> str:
    """The name of a function that is assigned to a variable: `export const f = () => …`."""
    for child in (node, *node.named_children):
        for declared in child.named_children if child.type in _WRAPS else ():
            value = declared.child_by_field_name("value") if declared.type == "variable_declarator" else None
            name = declared.child_by_field_name("name")
            if value is not None and name is not None and value.type in ("arrow_function", "function_expression"):
                return _words(name)
    return ""


def _words(node: "Node") -> str:
    text = (node.text or b"").decode("utf-8", "replace")
    return " ".join(text.split("{")[0].split())[:_MOST_NAME]


def _trimmed(lines: Sequence[str], block: Block) -> Iterator[Block]:
    """`block` without blank lines at its end; its lines are one block all the same."""
    end = block.end
    while end > block.start and not lines[end - 1].strip():
        end -= 1
    if lines[end - 1].strip():
        yield block._replace(end=end)
