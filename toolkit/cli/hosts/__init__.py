"""Agent hosts: what each must be told to start `toolkit-mcp`, in which file, and how that file is edited."""
