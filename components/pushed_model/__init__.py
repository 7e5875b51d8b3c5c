"""PushedModel: the model that is served now, as the baseline of an evaluation."""
