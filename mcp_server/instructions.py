"""What a host tells its model about the server as a whole, before any tool is read."""

from collections.abc import Collection

USUAL = frozenset({"semantic_search", "get_chunk", "list_collections", "ingest", "ask", "chat"})
"""The tools of the default preset. The handshake comes before the registry is loaded, so they are named here."""

_ABOUT = "The user's own documents, and other language models, kept in one local database."

_READING = (
    "To read the documents: semantic_search gives the best passages with a chunk_id, source and lines; start with "
    "response_format=concise and a small top_k. get_chunk with that chunk_id gives the whole passage, and with "
    "neighbors what stands around it. Only if a search finds nothing, or more than one subject is kept, "
    "list_collections says what there is; a collection's name narrows a search."
)
_ADDING = (
    "Nothing is found before it was added: ingest takes a path on the server's machine, or a text. Adding the same "
    "path again updates what changed and costs little; large folders report progress."
)
_ASKING = (
    "ask lets a model of the fallback chain answer from the passages; its [n] marks name chunks that can be checked. "
    "It is slower than a search, and costs money where the model does."
)
_CHATTING = (
    "chat asks another model for its opinion. Models are tried in order of priority until one answers; the result "
    "says who answered, who failed and why, tokens and cost. It sees nothing of this conversation: put what it must "
    "know into the message."
)
_SESSIONS = (
    "A session is a conversation under an id: create_session gives the id, and calls that take it continue the "
    "conversation until its time to live runs out; each use extends it."
)
_MODELS = "list_models shows the chain in the order in which it is tried; usage_report says what it cost."
_DELETING = "What is deleted is gone: the user is asked first, by their host or, where it cannot, by you."

_PARAGRAPHS: tuple[tuple[frozenset[str], str], ...] = (
    (frozenset({"semantic_search", "get_chunk", "list_collections"}), _READING),
    (frozenset({"ingest"}), _ADDING),
    (frozenset({"ask"}), _ASKING),
    (frozenset({"chat"}), _CHATTING),
    (frozenset({"create_session"}), _SESSIONS),
    (frozenset({"list_models", "usage_report"}), _MODELS),
    (frozenset({"delete_document"}), _DELETING),
)


def instructions(offered: Collection[str]) -> str:
    """How the offered tools work together, and their limits; under 2,048 characters, where Claude Code cuts."""
    names = frozenset(offered)
    return "\n\n".join([_ABOUT, *(text for needed, text in _PARAGRAPHS if needed <= names)])
