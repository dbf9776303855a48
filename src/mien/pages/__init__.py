"""Reading web pages that nobody vouches for."""
