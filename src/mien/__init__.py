"""mien: a real-time digital human."""

import os

__version__ = "0.1.0"

# ONNX Runtime's Linux builds report their use to Microsoft since 1.29, unless this is set before
# they are loaded; it has them store an identifier of this computer, too.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
