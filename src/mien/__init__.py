"""mien: a real-time digital human."""

__version__ = "0.1.0"
