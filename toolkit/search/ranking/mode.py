"""Which sides of a search count."""

from typing import Literal, TypeAlias

Mode: TypeAlias = Literal["hybrid", "lexical", "semantic"]
"""Words and meaning together, words alone, or meaning alone."""
