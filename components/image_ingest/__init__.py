"""Reads a data set of pictures into a table of every file found."""
