"""What is in a data set: its validation, its schemas, and what a server was sent beside it."""
