"""A query's terms, made harmless and free of words that say nothing; the same for both word indexes."""

import re
from collections import Counter
from collections.abc import Iterable

# The words that Postgres's dictionary `english` leaves out of its index.
STOP_WORDS = frozenset(
    """
    i me my myself we our ours ourselves you your yours yourself yourselves he him his himself she her hers herself it
    its itself they them their theirs themselves what which who whom this that these those am is are was were be been
    being have has had having do does did doing a an the and but if or because as until while of at by for with about
    against between into through during before after above below to from up down in out on off over under again
    further then once here there when where why how all any both each few more most other some such no nor not only
    own same so than too very s t can will just don should now
    """.split()  # noqa: SIM905 - a list of 127 quoted words would fill the page
)
MAX_PHRASES = 64  # a pasted page is not a question
MAX_REPEATS = 3

# ASCII without letters and digits: what a query language might read as an operator, quote or escape.
_PUNCTUATION = re.compile(r"[\x00-/:-@\[-`{-\x7f]+")


def phrases(terms: Iterable[str]) -> list[tuple[str, int]]:
    """Each different phrase of `terms`, in order, with how often it was said (at most three times).

    A phrase holds letters, digits and single spaces, of any script; what looked like one term (`router.complete`)
    stays one phrase. Terms of stop words only, or of no word at all, are left out; so is what follows the 64th.
    """
    counts: Counter[str] = Counter()
    spelling: dict[str, str] = {}
    for term in terms:
        phrase = " ".join(_PUNCTUATION.sub(" ", term).encode(errors="ignore").decode().split())
        folded = phrase.lower()
        if any(c.isalnum() for c in folded) and not STOP_WORDS.issuperset(folded.split()):
            counts[folded] += 1
            # As it was written: a Postgres database of the locale C knows no other case than ASCII's.
            spelling.setdefault(folded, phrase)
    return [(spelling[folded], min(count, MAX_REPEATS)) for folded, count in list(counts.items())[:MAX_PHRASES]]
