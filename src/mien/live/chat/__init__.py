"""Readers of live chats: whatever viewers write elsewhere becomes messages to the host."""
