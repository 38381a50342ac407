"""A conversation in a notebook."""
