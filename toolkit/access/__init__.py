"""Who may call over HTTP: API keys and what each is good for."""
