from toolkit.tools import docstring


def documented(first: int, second: str, third: bool) -> None:
    """Find what was
    asked for, and more.

    A second paragraph.

    Args:
        first (int): how many there are,
            counted from one: never zero.
        second: a text

            with a gap.
        third : whether: it is.

    Returns:
        nothing: at all.
    """


def bare() -> None: ...


def test_the_summary_is_the_first_paragraph_on_one_line() -> None:
    assert docstring.summary(documented) == "Find what was asked for, and more."


def test_each_argument_has_its_lines_joined_and_other_sections_are_left_alone() -> None:
    assert docstring.arguments(documented) == {
        "first": "how many there are, counted from one: never zero.",
        "second": "a text with a gap.",
        "third": "whether: it is.",
    }


def test_a_function_without_docstring_says_nothing() -> None:
    assert (docstring.summary(bare), docstring.arguments(bare)) == ("", {})
