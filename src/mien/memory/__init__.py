"""What is remembered of a user from one conversation to the next, if they wish it."""
