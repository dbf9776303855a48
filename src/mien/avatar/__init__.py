"""Mouth → person: avatar packages on disk, idle life, compositing."""
