"""Wav2Lip: a voice moves the mouth of somebody filmed.

A network (Prajwal et al., "A Lip Sync Expert Is All You Need for Speech to Lip Generation In The
Wild", 2020) paints the lower half of a face from 0.2 s of sound and a picture of the face. Half of
what it computes depends on the picture alone; here that is computed once per picture of a clip, and
only the half that shows is painted.
"""

from mien.lipsync.wav2lip.backend import Backend, BackendError, Choice
from mien.lipsync.wav2lip.backends import available
from mien.lipsync.wav2lip.cache_file import CacheError
from mien.lipsync.wav2lip.checkpoint import Checkpoint, CheckpointError, read_checkpoint
from mien.lipsync.wav2lip.engine import ClipLipSync, Wav2Lip, open_wav2lip
from mien.lipsync.wav2lip.faces import Faces

__all__ = [
    "Backend",
    "BackendError",
    "CacheError",
    "Checkpoint",
    "CheckpointError",
    "Choice",
    "ClipLipSync",
    "Faces",
    "Wav2Lip",
    "available",
    "open_wav2lip",
    "read_checkpoint",
]
