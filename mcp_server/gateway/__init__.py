"""The wires of OpenAI and Anthropic, spoken to their clients: the toolkit answers in the vendor's place."""
