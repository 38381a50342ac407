"""The table of models in a notebook: who is asked, in which order, and how they fare."""
