"""The parts of the `emotion` command that need no pipeline: one module a subcommand."""
