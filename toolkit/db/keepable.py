"""What comes from models and tools, made fit for a database and for a vendor's wire."""

import math
from typing import Any


def keepable(value: Any) -> Any:
    """`value` with what neither a database nor a vendor's wire can carry replaced: NUL, half a character, infinity."""
    match value:
        case str():
            # A pair of surrogates that was taken apart becomes its character again; a lone one becomes �.
            return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace").replace("\0", "�")
        case dict():
            return {keepable(key): keepable(inner) for key, inner in value.items()}
        case list() | tuple():
            return [keepable(inner) for inner in value]
        case float() if not math.isfinite(value):
            return None
        case _:
            return value
