"""Compares the distributions of splits: train with eval, and both with an earlier run's.

The component `DriftValidator` stands behind `StatisticsGen`. Its output `drift` is a DataDrift: the
folder holds `drift.json`, a list with one object for each comparison:

    comparison    str: train_vs_eval, train_vs_baseline or eval_vs_baseline
    images        list of two ints: how many images each side has
    compared      bool: false where a side has too few images for the distances to mean anything
    measurements  list of objects, one for each feature that has a comparator in the schema:
        feature            str
        measure            str: L_INFTY or JENSEN_SHANNON_DIVERGENCE
        value, threshold   float
        chance             float: what the value stays under by chance with so many images
        exceeded           bool: above the threshold and above chance
        short_description, long_description   str: TFDV's words, '' unless exceeded

`summary.json` of a run and the JSON of `emotion validate` hold the same list under `drift`.
"""
