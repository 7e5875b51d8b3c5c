"""The commands of `emotion`: each module declares its arguments and executes them."""
