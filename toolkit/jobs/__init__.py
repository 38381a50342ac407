"""Many questions at once, and questions that are answered in the background and outlive a restart."""
