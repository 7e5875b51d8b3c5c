"""Beam's steps on an engine: arguments, checks before the run, and a cluster to try it on."""
