"""What is known: documents, cut into chunks, found again and cited."""
