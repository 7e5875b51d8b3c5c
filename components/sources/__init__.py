"""Where pictures come from: a folder, a zip, a Kaggle data set, or the drawn sample."""
