"""Saying that what is seen and heard was made by a machine."""
