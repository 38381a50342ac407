"""How things look to a person: Markdown, figures in words, tables and plots as HTML that may stand on any page."""

from toolkit.display.shown import Comparison, Listing, Shown

__all__ = ["Comparison", "Listing", "Shown"]
