"""Anthropic's Messages, spoken to its clients: any model of the table answers behind them."""
