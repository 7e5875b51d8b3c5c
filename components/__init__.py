"""Custom TFX components; each folder holds its interface, its executor and its pure functions."""
