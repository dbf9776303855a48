"""Speech to text, and everything that is known of a voice before it is text: VAD, turn end."""
