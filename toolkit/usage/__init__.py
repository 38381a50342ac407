"""What was asked of whom, and what it cost."""
