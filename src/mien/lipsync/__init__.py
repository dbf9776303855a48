"""Voice → mouth: engines behind one small contract."""
