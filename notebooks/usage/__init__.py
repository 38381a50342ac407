"""What was used, and what it cost, in a notebook."""
