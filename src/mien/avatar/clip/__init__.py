"""Avatars made of a filmed clip: building, reading and showing them."""
