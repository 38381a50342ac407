"""Who said what: conversations with a time to live, and the loop of a turn."""
