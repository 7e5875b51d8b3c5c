"""Code that Transform, Trainer and Evaluator load by its dotted name.

TFX can also pack a `module_file` into a wheel of its own at each run. Here the installed package is
used: a remote Beam worker or a Kubeflow task has it already, and no wheel is built and installed on
every run. The components' cache keys carry a fingerprint of this code instead.
"""
