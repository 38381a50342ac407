"""Files, pages and tables as documents."""
