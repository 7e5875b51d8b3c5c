"""The pipeline on Kubeflow Pipelines v2: compiled, submitted, and run task by task."""
