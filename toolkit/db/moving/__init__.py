"""Moving house: everything that one database keeps, in another of either kind."""

from toolkit.db.moving.copy import Copied, CopyReport, Progress, copy

__all__ = ["Copied", "CopyReport", "Progress", "copy"]
