"""The Examples that components hand on: how one is made, and how a split is read and written."""
