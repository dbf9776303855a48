"""A talking avatar from one photo."""

from mien.avatar.photo.builder import Built, Request, build, build_avatar
from mien.avatar.photo.errors import PhotoError

__all__ = ["Built", "PhotoError", "Request", "build", "build_avatar"]
