"""Finds copies, leaks, conflicting labels and empty pictures in a manifest."""
