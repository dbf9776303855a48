"""Voices that other programs and services speak with, over HTTP."""
