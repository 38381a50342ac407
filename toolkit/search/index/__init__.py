"""What is kept of the words and meanings of chunks: a log, segments and blocks in the database, states in memory.

A write to a collection adds a row to its log, in the list that keeps the documents (`bodies`, `tables`). Readers apply
the rows that are new to them to the state that they have (`states`, `draft`, `state`, `pieces`, `sides`), and read what
was folded (`loading`, `postings`, `sealed`). A log that has grown is folded in the background (`sealing`, `folding`),
by one process at a time (`lease`). numpy comes with it, so it is imported where a search first needs it.
"""

from toolkit.search.index.index import Index
from toolkit.search.index.state import CollectionState, Column, Unembedded
from toolkit.search.index.tables import ChunkText

__all__ = ["ChunkText", "CollectionState", "Column", "Index", "Unembedded"]
