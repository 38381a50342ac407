"""Figures as people read them."""

_LEAST_DOLLARS = 1e-6
_SHORT_MILLISECONDS = 100


def tokens(into: int, out: int) -> str:
    """Tokens that went in and came out."""
    return f"{into:,} in · {out:,} out".replace(",", "\u202f")


def dollars(cost: float | None) -> str:
    """US dollars to a millionth; an unknown cost is said to be unknown, never 0."""
    if cost is None:
        return "cost unknown"
    if 0 < cost < _LEAST_DOLLARS:
        return f"under ${_LEAST_DOLLARS:f}"
    return "$" + (f"{cost:.2f}" if cost >= 1 else f"{cost:.6f}".rstrip("0").rstrip("."))


def seconds(milliseconds: float) -> str:
    """A time to the tenth of a second, a short one in milliseconds."""
    return f"{milliseconds:.0f} ms" if milliseconds < _SHORT_MILLISECONDS else f"{milliseconds / 1000:.1f} s"
