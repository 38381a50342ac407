"""Moments as a person reads them."""

from datetime import datetime


def when(at: datetime) -> str:
    """A moment by this machine's clock, to the minute."""
    return f"{at.astimezone():%Y-%m-%d %H:%M}"
