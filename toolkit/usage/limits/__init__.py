"""How much may be asked and spent, and by whom."""

from toolkit.usage.limits.limits import Admission, Limits
from toolkit.usage.limits.rule import Limit, LimitStatus

__all__ = ["Admission", "Limit", "LimitStatus", "Limits"]
