"""The semantic side: vectors as rows of bytes, in a matrix that grows, searched exactly. It knows no database.

numpy and simsimd come with it, so it is imported where a search first needs it.
"""

from toolkit.search.vectors.matrix import Matrix
from toolkit.search.vectors.quantise import Quantised, concatenate, quantise, restore

__all__ = ["Matrix", "Quantised", "concatenate", "quantise", "restore"]
