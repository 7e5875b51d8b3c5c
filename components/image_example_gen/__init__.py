"""Manifest to Examples: the bytes of every kept image with its label and its numbers."""
