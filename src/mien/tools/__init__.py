"""What a language model may do besides speaking."""
