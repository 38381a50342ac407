"""Code of other languages than Python is cut at its definitions."""

import sys
from textwrap import dedent

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from toolkit.search.cutting import syntax
from toolkit.search.cutting.chunker import cut
from toolkit.search.documents import Document

FILLER = "\n".join(f"    call_number_{n}(with_some, arguments);" for n in range(7))
BODY = f"{{\n{FILLER}\n}}"
METHOD = f"void m() {BODY}"
CODE = {
    "go": ("F M T", f"// F does.\nfunc F() {BODY}\n\nfunc (t *T) M() {BODY}\n\ntype T struct {{\n// {'x' * 300}\n}}"),
    "rust": ("f S U", f"#[a]\npub fn f() {BODY}\n\nimpl T for S {{ fn g() {BODY} }}\n\ntrait U {{ fn h() {BODY} }}"),
    "javascript": ("f A g", f"export function f() {BODY}\n\nclass A {{ m() {BODY} }}\n\nexport const g = () => {BODY}"),
    "typescript": ("A f g", f"export class A {{ m() {BODY} }}\n\nfunction f(): x {BODY}\n\nconst g = () => {BODY}"),
    "java": ("A B C", f"class A {{ {METHOD} }}\n\nclass B {{ B() {BODY} }}\n\nenum C {{ X; {METHOD} }}"),
    "c": ("f g main", f"int *f(void) {BODY}\n\nstatic void g(int x) {BODY}\n\nint main(int argc) {BODY}"),
    "cpp": ("A m f", f"template <class T> class A {{ {METHOD} }};\n\nint A::m() {BODY}\n\nvoid f() {BODY}"),
    "csharp": ("A B S", f"class A {{ {METHOD} }}\n\nclass B {{ B() {BODY} }}\n\nstruct S {{ {METHOD} }}"),
    "ruby": ("A B f", f"class A\n def m\n{FILLER}\n end\nend\n\nmodule B\n{FILLER}\nend\n\ndef f\n{FILLER}\nend"),
    "php": (
        "f A T",
        f"<?php\nfunction f() {BODY}\n\nclass A {{ function m() {BODY} }}\n\ntrait T {{ function m() {BODY} }}",
    ),
}


def chunks(text: str, language: str) -> list[tuple[str, str]]:
    return [(chunk.heading, chunk.text) for chunk in cut(Document("a", text, kind="code", language=language), "c")]


@pytest.mark.parametrize("language", CODE)
def test_a_definition_is_a_chunk_that_is_called_like_it(language: str) -> None:
    names, text = CODE[language]
    found = chunks(text, language)
    assert len(found) == 3
    for (heading, _), name in zip(found, names.split(), strict=True):
        assert name in heading.replace("::", " ").split(" › ")[0].split(), heading


def test_comments_and_attributes_stay_with_what_they_stand_above() -> None:
    found = chunks(f"use a;\n{'// ' + 'x' * 300}\n\n/// Why.\n#[test]\npub fn f() {{\n{FILLER}\n}}\n", "rust")
    assert found[1][1].startswith("/// Why.\n#[test]\npub fn f() {")


def test_a_large_class_is_cut_at_its_methods() -> None:
    methods = "".join(f"\n  first{n}() {{\n{FILLER}\n{FILLER}\n  }}\n" for n in range(3))
    found = chunks(f"/** Doc. */\nexport class Router {{{methods}}}\n", "typescript")
    assert [heading for heading, _ in found] == [f"class Router › first{n}" for n in range(3)]
    assert found[0][1].startswith("/** Doc. */\nexport class Router {")


def test_without_a_grammar_code_is_cut_at_blank_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    _, text = CODE["go"]
    with_it = chunks(text, "go")
    monkeypatch.setitem(sys.modules, "tree_sitter_go", None)
    syntax._grammar.cache_clear()
    try:
        without = chunks(text, "go")
    finally:
        syntax._grammar.cache_clear()
    assert {heading for heading, _ in without} == {""}
    assert " ".join(text for _, text in without).split() == " ".join(text for _, text in with_it).split()
    assert chunks("(define x 1)", "scheme") == [("", "(define x 1)")]


PARTS = """func class struct { } ( ) ; f A = => " ' ` // /* */ # @x impl fn export const template <T> namespace enum
trait def end module ? : , . é <?php interface [ ] pub type int void"""


@settings(max_examples=150, deadline=None)
@given(st.lists(st.sampled_from([*PARTS.split(), "\n", "\n\n", "x" * 400]), max_size=60), st.sampled_from([*CODE]))
def test_any_text_is_cut_and_nothing_lost(parts: list[str], language: str) -> None:
    text = " ".join(parts)
    assert "".join("".join(part.split()) for _, part in chunks(text, language)) == "".join(text.split())


def test_what_is_nested_deep_is_cut_all_the_same() -> None:
    deep = (
        dedent("""\
        class A {
        """)
        * 3_000
    )
    assert chunks(deep, "java")
    assert chunks("{" * 50_000, "javascript")
