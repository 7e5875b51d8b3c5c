"""Evaluator, and the comparison with the model to beat on the same pictures.

Beside TFMA's files its output `evaluation` holds `judgement.json`, an object:

    split       str: the split that judged, `test` where the data has one, else `eval`
    baseline    str: version of the model to beat, '' where nothing is served
    not_compared  str: why there is no comparison, '' where there is one
    comparison  object or null: see `comparison.Comparison`
"""
