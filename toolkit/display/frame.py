"""Rows as a table of pandas, where it is installed."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from toolkit.errors import ConfigError

if TYPE_CHECKING:
    import pandas as pd


def table(rows: Iterable[Mapping[str, Any]]) -> "pd.DataFrame":
    """A row for each of `rows`; a column for every name in any of them, in the order in which they come.

    Raises:
        ConfigError: pandas is not installed.
    """
    try:
        import pandas as pd  # noqa: PLC0415 - it may be missing, and takes a second to import
    except ImportError:
        raise ConfigError("A table needs pandas: pip install pandas") from None
    return pd.DataFrame([dict(row) for row in rows])
