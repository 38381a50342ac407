"""What comes first: both sides of a search put together, and what is done with the best of it. Knows no database."""
