"""RTMP and RTMPS: publishing to media servers and live platforms (Adobe's RTMP 1.0)."""
