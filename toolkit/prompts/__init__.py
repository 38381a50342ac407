"""What is said on our behalf, one Markdown file each."""
