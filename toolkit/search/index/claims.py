"""Who embeds what: texts are claimed by their hashes, so that no two processes embed the same one at a time."""

from datetime import timedelta

import numpy as np

from toolkit import stamps
from toolkit.db import Database, Rows, Sql, Statement
from toolkit.search.index import tables
from toolkit.search.index.pieces import Hashes

_COLUMNS = {
    "collection": "TEXT",
    "embedder": "TEXT",
    "text_hash": "BIGINT",
    "claimed_by": "TEXT",
    "claimed_until": "TIMESTAMPTZ",
}
_THESE = Sql(
    "collection = :key AND embedder = :embedder AND text_hash IN (SELECT value FROM json_each(:hashes))",
    """
    collection = :key AND embedder = :embedder
    AND text_hash IN (SELECT CAST(jsonb_array_elements_text(:hashes) AS BIGINT))
    """,
)
_MINE = tables.filled("SELECT text_hash FROM embedding_claims WHERE {these} AND claimed_by = :token", these=_THESE)
_SETTLED = tables.filled("DELETE FROM embedding_claims WHERE {these}", these=_THESE)
_RELEASED = tables.filled(
    "DELETE FROM embedding_claims WHERE {these} AND substr(claimed_by, 1, length(:own)) = :own", these=_THESE
)


async def take(db: Database, key: str, embedder: str, hashes: Hashes, *, token: str, seconds: float) -> Hashes:
    """Claim those of `hashes` that nobody has claimed, and give them, in their order.

    Args:
        db: where.
        key: the collection's.
        embedder: who is to make their vectors.
        hashes: of the texts.
        token: of this claim alone.
        seconds: after which the claim means nothing.
    """
    now = stamps.now()
    signed = sorted(tables.signed(hashes))  # in one order, so that two who claim the same do not wait for each other
    rows = [(key, embedder, number, token, now + timedelta(seconds=seconds)) for number in signed]
    values = {"key": key, "embedder": embedder, "hashes": signed, "now": now, "token": token}
    expired = "DELETE FROM embedding_claims WHERE collection = :key AND embedder = :embedder AND claimed_until < :now"
    _, _, found = await db.write(
        Statement(expired, values),
        Rows("embedding_claims", _COLUMNS, rows, "ON CONFLICT DO NOTHING"),
        Statement(_MINE, values),
        subject=key,
    )
    mine = tables.unsigned([row["text_hash"] for row in found])
    return hashes[np.isin(hashes, mine)]


def settled(key: str, embedder: str, hashes: Hashes) -> Statement:
    """Ends all claims of texts that have their vectors."""
    return Statement(_SETTLED, {"key": key, "embedder": embedder, "hashes": tables.signed(hashes)})


def give_back(key: str, embedder: str, hashes: Hashes, own: str) -> Statement:
    """Ends claims whose tokens begin with `own`."""
    return Statement(_RELEASED, {"key": key, "embedder": embedder, "hashes": tables.signed(hashes), "own": own})
