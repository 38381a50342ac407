"""A search in a notebook."""
