"""Models that are fetched, not shipped: what there is, where it comes from, where it lies.

``catalogue`` knows, ``sources`` says where to ask, ``download`` fetches one file by a ``transfer``
from each of its addresses, ``unpack`` opens archives. ``pull`` and ``given`` (a file or folder)
bring a model to ``assemble``, which checks it and gives it to the ``store``. ``verify``, ``prune``
and ``caches`` look after what is here; ``consent`` remembers which licences were accepted.
"""
