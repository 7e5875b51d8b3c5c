"""Figures from counts of answers, each defined once for whoever measures a model."""


def macro_f1(counts: dict[tuple[int, int], float]) -> float:
    """Returns macro F1 from `{(actual, predicted): count}`; NaN for no counts.

    A class that occurs neither as label nor as prediction has no F1 and is left out of the mean.

    F1 of a class is 2 TP / (2 TP + FP + FN).

    Example:
      F1 of 2/3 and of 4/5 have a mean of 11/15:

      >>> round(macro_f1({(0, 0): 1, (0, 1): 1, (1, 1): 2}), 4)
      0.7333
    """
    totals: dict[int, float] = {}
    hits: dict[int, float] = {}
    for (actual, predicted), count in counts.items():
        if not count:
            continue
        totals[actual] = totals.get(actual, 0.0) + count
        totals[predicted] = totals.get(predicted, 0.0) + count
        if actual == predicted:
            hits[actual] = hits.get(actual, 0.0) + count
    if not totals:
        return float("nan")
    return sum(2 * hits.get(label, 0.0) / total for label, total in totals.items()) / len(totals)


def per_class(confusion: list[list[int]], labels: list[str]) -> dict[str, dict[str, float]]:
    """Returns precision, recall, F1 and images of each class from `[actual][predicted]` counts.

    A ratio with nothing below the line is 0.
    """
    result = {}
    for index, label in enumerate(labels):
        hits = confusion[index][index]
        actual = sum(confusion[index])
        predicted = sum(row[index] for row in confusion)
        result[label] = {
            "precision": hits / predicted if predicted else 0.0,
            "recall": hits / actual if actual else 0.0,
            "f1": 2 * hits / (actual + predicted) if actual + predicted else 0.0,
            "images": actual,
        }
    return result
