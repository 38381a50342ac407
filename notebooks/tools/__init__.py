"""A form for any tool, in a notebook."""
