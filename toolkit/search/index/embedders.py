"""Whose vectors a collection has: the first to keep some, until another is chosen and has made all."""

from toolkit.db import Statement
from toolkit.errors import NotFound
from toolkit.search.index.state import CollectionState


def learn(key: str, embedder: str, dimension: int, *, otherwise: Exception) -> Statement:
    """Begins a list that keeps vectors: locks the collection, and counts its version.

    Args:
        key: the collection's.
        embedder: who made them; a collection without one takes it.
        dimension: of the vectors.
        otherwise: raised where it has, and is to have, another embedder, or there is no such collection.
    """
    return Statement(
        """
        UPDATE collections
           SET version = version + 1,
               embedder = COALESCE(embedder, CAST(:embedder AS TEXT)),
               dimension = CASE WHEN COALESCE(embedder, :embedder) = :embedder
                                THEN COALESCE(dimension, CAST(:dimension AS BIGINT)) ELSE dimension END,
               next_dimension = CASE WHEN next_embedder = :embedder
                                     THEN COALESCE(next_dimension, :dimension) ELSE next_dimension END
         WHERE key = :key
           AND ((COALESCE(embedder, :embedder) = :embedder AND COALESCE(dimension, :dimension) = :dimension)
             OR (next_embedder = :embedder AND COALESCE(next_dimension, :dimension) = :dimension))
        RETURNING version, sealed
        """,
        {"key": key, "embedder": embedder, "dimension": dimension},
        unmatched=otherwise,
    )


def change(key: str, embedder: str) -> Statement:
    """Chooses another embedder; one that has nothing yet is replaced at once. It counts the version."""
    return Statement(
        """
        UPDATE collections
           SET next_embedder = CASE WHEN embedder IS NULL OR embedder = :embedder OR dimension IS NULL
                                    THEN NULL ELSE CAST(:embedder AS TEXT) END,
               next_dimension = CASE WHEN next_embedder = :embedder THEN next_dimension ELSE NULL END,
               embedder = CASE WHEN embedder IS NULL OR dimension IS NULL
                               THEN CAST(:embedder AS TEXT) ELSE embedder END,
               version = version + 1
         WHERE key = :key
        RETURNING key
        """,
        {"key": key, "embedder": embedder},
        unmatched=NotFound(f"There is no collection {key!r}; ingest documents into it first."),
    )


def hand_over(state: CollectionState, *, otherwise: Exception) -> Statement:
    """Makes the next embedder the present one; raises if more was written since that state, which lacks nothing."""
    return Statement(
        """
        UPDATE collections
           SET embedder = next_embedder, dimension = next_dimension, next_embedder = NULL, next_dimension = NULL,
               version = version + 1
         WHERE key = :key AND id = :id AND version = :version AND next_embedder = :embedder
        RETURNING key
        """,
        {
            "key": state.key,
            "id": state.collection.id,
            "version": state.version,
            "embedder": state.next_embedder,
        },
        unmatched=otherwise,
    )
