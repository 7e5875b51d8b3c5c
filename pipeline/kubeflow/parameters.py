"""Settings that may be changed when a compiled pipeline is submitted.

A runtime parameter is a setting by another name: `train.epochs` becomes `train_epochs`. One more,
`settings`, holds all settings as they were compiled, in JSON. Each task is given them all; it puts
them together and takes its execution properties from the graph that they make
(`emotion_pipeline.kubeflow.entrypoint`). So a parameter reaches whatever the setting reaches, also within the
Evaluator's configuration and the Trainer's, where TFX's own RuntimeParameter cannot go.
"""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from emotion_pipeline.components.errors import UserError
from emotion_pipeline.configs import PipelineConfig
from emotion_pipeline.settings import to_dict, with_overrides

SETTINGS_KEY = "settings"
"""The parameter that holds all settings as they were compiled."""

DEFAULT_PARAMETERS = (
    "data",
    "push_dir",
    "seed",
    "train.epochs",
    "thresholds.accuracy",
    "thresholds.macro_f1",
    "thresholds.max_accuracy_drop",
    "thresholds.confidence",
)
"""The settings that are runtime parameters in any case."""

# The names that PipelineSpec has for the types of parameters.
_TYPES: dict[type, str] = {
    str: "STRING",
    int: "NUMBER_INTEGER",
    float: "NUMBER_DOUBLE",
    bool: "BOOLEAN",
}


def parameter_name(setting: str) -> str:
    """Returns the parameter's name of a setting: `train.epochs` is `train_epochs`."""
    return setting.replace(".", "_")


def parameter_specs(config: PipelineConfig, settings: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Returns the parameters' ParameterSpec messages, with their defaults, by name.

    Args:
      config: Where the defaults are from.
      settings: Dotted names.

    Raises:
      UserError: A setting is unknown, or is no text, number or truth value.
    """
    values = flatten(to_dict(config))
    specs = {
        SETTINGS_KEY: {
            "parameterType": _TYPES[str],
            "defaultValue": json.dumps(to_dict(config), sort_keys=True),
            "isOptional": True,
            "description": "All settings as they were compiled; the other parameters go before it.",
        }
    }
    for setting in settings:
        if setting not in values:
            raise UserError(
                f"--parameter {setting}: there is no such setting; known are {', '.join(values)}"
            )
        value = values[setting]
        if type(value) not in _TYPES:
            raise UserError(
                f"--parameter {setting}: holds {value!r}; only texts, numbers and truth values can "
                "be runtime parameters. Give it when compiling, with --set."
            )
        specs[parameter_name(setting)] = {
            "parameterType": _TYPES[type(value)],
            "defaultValue": value,
            "isOptional": True,
            "description": f"The setting {setting} of the pipeline.",
        }
    return specs


def apply_parameters(parameters: Mapping[str, Any]) -> PipelineConfig:
    """Returns the settings of a run.

    Args:
      parameters: What a task is given: `settings`, and runtime parameters by name. Whole numbers may
        be floats, as JSON has them.

    Raises:
      UserError: A parameter is unknown, or its value has the wrong type or range.
    """
    config = with_overrides(PipelineConfig(), json.loads(parameters[SETTINGS_KEY]))
    values = flatten(to_dict(config))
    settings = {parameter_name(setting): setting for setting in values}
    overrides: dict[str, Any] = {}
    for name, value in parameters.items():
        if name == SETTINGS_KEY:
            continue
        if name not in settings:
            raise UserError(f"{name}: there is no such parameter; known are {', '.join(settings)}")
        setting = settings[name]
        if type(values[setting]) is int and isinstance(value, float) and value.is_integer():
            value = int(value)
        *groups, key = setting.split(".")
        place = overrides
        for group in groups:
            place = place.setdefault(group, {})
        place[key] = value
    return with_overrides(config, overrides)


def flatten(settings: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Returns nested settings by dotted name."""
    flat: dict[str, Any] = {}
    for key, value in settings.items():
        if isinstance(value, Mapping):
            flat.update(flatten(value, f"{prefix}{key}."))
        else:
            flat[prefix + key] = value
    return flat
