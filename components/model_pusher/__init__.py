"""Pushes a blessed model so that a model server never sees half a version."""
