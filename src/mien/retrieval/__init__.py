"""Finding the passages of texts that answer a question."""
