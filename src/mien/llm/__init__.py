"""Text → streamed answer."""
