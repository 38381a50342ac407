"""The pages on which people manage models, and see what they did and cost."""
