"""A stream without people behind it: a running order, spoken in a loop, and its audience."""
