"""Answer → clauses → voice: segmenter, normaliser, voices."""
