"""Which model answers: the table of models, their keys and prices, and the chain that is tried in order."""
