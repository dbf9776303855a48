"""Searching the web, whoever's index it is."""
