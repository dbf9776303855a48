"""WHIP (RFC 9725): a program on the air at a WebRTC media server."""
