"""The toolkit's own HTTP interface: conversations, tools, search, generations, models and what they cost."""
