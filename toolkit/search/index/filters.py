"""The documents that satisfy a condition: asked of the database once, as long as nothing is written."""

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from threading import Lock
from typing import Any, Final, TypeAlias

import numpy as np

from toolkit.db import Database
from toolkit.search import where as conditions
from toolkit.search.index.identity import Docs, docs_in
from toolkit.search.index.state import CollectionState

KEPT: Final = 16
"""Answers that are remembered: 8 bytes for each document of each."""

_Versions: TypeAlias = tuple[tuple[str, int] | None, ...]


class Filters:
    """Answers conditions.

    Args:
        db: where the documents are.
        known: gives what is known of a collection, None before it was looked at.
    """

    def __init__(self, db: Database, known: Callable[[str], CollectionState | None]) -> None:
        self._db = db
        self._known = known
        self._kept: OrderedDict[tuple[tuple[str, ...], str], tuple[_Versions, Docs]] = OrderedDict()
        self._lock = Lock()

    async def documents(self, keys: Sequence[str], where: Mapping[str, Any]) -> Docs:
        """The documents of collections that satisfy `where`, in order.

        Raises:
            ConfigError: it is no condition; the message says why not.
        """
        sql, values = conditions.query(where, keys)
        place = (tuple(keys), repr(where))
        versions = self._versions(keys)
        with self._lock:
            kept = self._kept.get(place)
            if kept and kept[0] == versions and None not in versions:
                self._kept.move_to_end(place)
                return kept[1]
        row = await self._db.fetch_one(sql, **values)
        docs = np.unique(docs_in(row["ids"] or "")) if row else np.empty(0, np.int64)
        docs.flags.writeable = False
        with self._lock:
            self._kept[place] = (versions, docs)
            while len(self._kept) > KEPT:
                self._kept.popitem(last=False)
        return docs

    def _versions(self, keys: Sequence[str]) -> _Versions:
        states = map(self._known, keys)
        return tuple(None if state is None else (state.collection.id, state.version) for state in states)
