"""Measuring the product from outside: ``mien bench``."""
