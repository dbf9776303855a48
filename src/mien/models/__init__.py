"""Models that are fetched, not shipped: what there is, where it comes from, where it lies.

``catalogue`` knows, ``sources`` says where to ask, ``download`` fetches one file, ``store`` keeps
what is here, ``pull`` brings a model into the store.
"""
