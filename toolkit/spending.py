"""The ledger as the house has it: it also knows the models that its figures speak for."""

from collections.abc import Mapping
from typing import Any

from toolkit.display.shown import Listing
from toolkit.models.catalog import Catalog
from toolkit.models.hints import Hint, hints
from toolkit.usage.ledger import Ledger


class Usage(Ledger):
    """What was asked of whom, what it cost, and who would do it better.

    Attributes:
        models: the table of models; the house sets it, because that asks the ledger how fast a model was.
    """

    models: Catalog

    async def hints(self, wish: str, *, n: int = 3, requirements: Mapping[str, Any] | None = None) -> Listing[Hint]:
        """The enabled models that suit a wish best, best first, each with the figure that speaks for it.

        Args:
            wish: `cheapest`, `largest_context`, `fastest`, `most_reliable` or `most_used`.
            n: how many at most, at least 1.
            requirements: what a model must have besides, as for `models.select`.

        Raises:
            ConfigError: there is no such wish, or a requirement cannot be used as written.
        """
        return await hints(self.models, self, wish, n=n, requirements=requirements)
