"""Makes the classes of the train split equally large by translated copies."""
