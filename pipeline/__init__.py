"""The TFX pipeline: its graph, its configuration, its runners and the `emotion` command."""
