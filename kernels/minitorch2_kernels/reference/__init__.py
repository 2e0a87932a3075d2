"""The specification of every kernel: slow where that is clearer, and the same text on NumPy and CuPy."""
