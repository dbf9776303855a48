"""Files of trained weights, read without running or trusting them."""
