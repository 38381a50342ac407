"""The conversations in a notebook: found, opened, renamed, forked, exported and deleted."""
