"""What Kubernetes adds to the containers: volumes, secrets, users, the package's second document."""

from typing import Any

from emotion_pipeline.kubeflow.config import DATA_DIR, MODELS_DIR, KubeflowConfig

_KAGGLE_KEYS = {"username": "KAGGLE_USERNAME", "key": "KAGGLE_KEY"}


def platform_spec(spec: dict[str, Any], kubeflow: KubeflowConfig) -> dict[str, Any]:
    """Returns the PlatformSpec to a PipelineSpec; empty where nothing is added.

    Every step gets the volumes: the pictures are read where they lie, and which step reads them is
    the graph's affair. The Kaggle key goes only to steps that read no artifact, one of which fetches.
    """
    mounts = [
        {"constant": claim, "mountPath": path}
        for claim, path in ((kubeflow.data_claim, DATA_DIR), (kubeflow.models_claim, MODELS_DIR))
        if claim
    ]
    executors = {}
    for component in spec["components"].values():
        extras: dict[str, Any] = {}
        if mounts:
            extras["pvcMount"] = mounts
        if kubeflow.kaggle_secret and not component["inputDefinitions"].get("artifacts"):
            extras["secretAsEnv"] = [
                {
                    "secretName": kubeflow.kaggle_secret,
                    "keyToEnv": [
                        {"secretKey": key, "envVar": name} for key, name in _KAGGLE_KEYS.items()
                    ],
                }
            ]
        if kubeflow.restricted:
            # The image has a user that is not root; Kubeflow sets the rest of `restricted` itself.
            extras["securityContext"] = {"runAsNonRoot": True}
        if extras:
            executors[component["executorLabel"]] = extras
    if not executors:
        return {}
    return {"platforms": {"kubernetes": {"deploymentSpec": {"executors": executors}}}}
