"""The server's models: their configuration, their folders watched, their versions handed out."""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Iterator, Mapping
from typing import Any

import grpc

from emotion_faces.model_server import model_config, servable, source, status, versions
from emotion_faces.protos import model_pb2, model_server_config_pb2

_LONGEST_LOAD_SECS = 24 * 3600.0

_log = logging.getLogger(__name__)


class ServerCore:
    """Serves the models of a ModelServerConfig; safe from any thread.

    Args:
      load: Makes a servable from (model name, version, folder).
      retries: Of failed loads.
      num_load_threads: Loads at a time.
      poll_secs: Between two looks at the models' folders; 0: once only, negative: never.
      labels_for_unavailable: Whether new labels may point to versions that are not loaded.
    """

    def __init__(
        self,
        load: Any,
        retries: versions.RetryPolicy,
        num_load_threads: int = 2,
        poll_secs: float = 1.0,
        labels_for_unavailable: bool = False,
    ):
        self._load = load
        self._retries = retries
        self._poll_secs = poll_secs
        self._labels_for_unavailable = labels_for_unavailable
        self._load_slots = threading.Semaphore(num_load_threads)
        self._reloading = threading.Lock()
        self._looking = threading.Lock()  # a look must not see half of a reload
        self._config = model_server_config_pb2.ModelServerConfig()
        # Replaced whole, never changed in place: readers take no lock.
        self._configs: Mapping[str, Any] = {}
        self._models: Mapping[str, versions.ModelVersions] = {}
        self._labels: Mapping[str, Mapping[str, int]] = {}
        self._stopping = threading.Event()
        self._poller: threading.Thread | None = None

    def start(self, config: model_server_config_pb2.ModelServerConfig) -> None:
        """Takes the first configuration and returns once each of its models is available.

        Raises:
          StatusError: The configuration is wrong, or a model's only versions failed to load.
        """
        if self._poll_secs > 0:
            self._poller = threading.Thread(target=self._poll, name="poll", daemon=True)
            self._poller.start()
        try:
            self.reload(config)
        except status.StatusError as error:
            if error.code is not grpc.StatusCode.FAILED_PRECONDITION:
                raise
            # Of a first configuration, labels alone can be refused so.
            raise status.failed_precondition(
                f"{error.message}. As the server starts, no version is available yet: start it "
                "with --allow_version_labels_for_unavailable_models"
            ) from None

    def stop(self, timeout_secs: float) -> bool:
        """Stops watching the folders and unloads what serves, once its calls have ended.

        Args:
          timeout_secs: The longest wait for those calls. A load under way is not waited for.

        Returns:
          Whether nothing is loaded, or being loaded, any more.
        """
        self._stopping.set()
        for model in self._models.values():
            model.aspire({})
        return versions.wait_all(self._models, _unloaded, timeout_secs) and all(
            entry.state is versions.State.END
            for model in self._models.values()
            for entry in model.statuses()
        )

    def reload(self, config: model_server_config_pb2.ModelServerConfig) -> None:
        """Serves exactly the models of `config`; returns once the new ones are available.

        Raises:
          StatusError: As TensorFlow Serving words it.
        """
        with self._reloading:
            if config.WhichOneof("config") is None and not self._configs:
                _log.info("the configuration is empty: no model is served")
                return
            model_config.check_config(config)
            self._check_platforms(config)
            model_config.check_served(config)
            configs = {model.name: model for model in config.model_config_list.config}
            # Taken over before labels are checked, as TensorFlow Serving does.
            self._config = config
            labels = self._checked_labels(configs)
            added = [name for name in configs if name not in self._configs]
            with self._looking:
                self._models = {
                    **self._models,
                    **{
                        name: self._new_versions(name)
                        for name in configs
                        if name not in self._models
                    },
                }
                self._labels = labels
                self._configs = configs
                if self._poll_secs >= 0:
                    self._look_at_folders()
                for name, model in self._models.items():
                    if name not in configs:
                        model.aspire({})
            self._wait_until_available(added)

    @property
    def config(self) -> model_server_config_pb2.ModelServerConfig:
        """The configuration taken last."""
        return self._config

    def model_names(self) -> list[str]:
        """Names of the models that are configured now."""
        return sorted(self._configs)

    def statuses(self, name: str) -> list[versions.VersionStatus]:
        """All versions of a model, the newest first; empty for an unknown model."""
        model = self._models.get(name)
        return model.statuses() if model is not None else []

    @contextlib.contextmanager
    def acquire(self, spec: model_pb2.ModelSpec) -> Iterator[servable.Servable]:
        """Holds the version that a ModelSpec asks for.

        Raises:
          StatusError: No name (INVALID_ARGUMENT), unknown label (INVALID_ARGUMENT), no such
            version to be served (NOT_FOUND).
        """
        if not spec.name:
            raise status.invalid_argument("ModelSpec has no name specified.")
        version = self._version_asked_for(spec)
        model = self._models.get(spec.name)
        if model is not None:
            with model.acquire(version) as loaded:
                if loaded is not None:
                    yield loaded
                    return
        asked = f"Latest({spec.name})" if version is None else f"Specific({spec.name}, {version})"
        raise status.not_found(f"Servable not found for request: {asked}")

    def _version_asked_for(self, spec: model_pb2.ModelSpec) -> int | None:
        choice = spec.WhichOneof("version_choice")
        if choice == "version":
            return spec.version.value
        if choice == "version_label":
            version = self._labels.get(spec.name, {}).get(spec.version_label)
            if version is None:
                raise status.invalid_argument(
                    f"Unrecognized servable version label: {spec.version_label}"
                )
            return version
        return None

    def _new_versions(self, name: str) -> versions.ModelVersions:
        return versions.ModelVersions(
            name,
            lambda version, path: self._load(name, version, path),
            self._retries,
            self._load_slots,
        )

    def _check_platforms(self, config: model_server_config_pb2.ModelServerConfig) -> None:
        for model in config.model_config_list.config:
            current = self._configs.get(model.name)
            if current is not None and model_config.platform(current) != model_config.platform(
                model
            ):
                raise status.invalid_argument(
                    f"Illegal to change a model's platform. For model {model.name} platform was "
                    f"{model_config.platform(current)} and new platform requested is {model_config.platform(model)}"
                )

    def _checked_labels(self, configs: Mapping[str, Any]) -> dict[str, dict[str, int]]:
        labels = {name: dict(config.version_labels) for name, config in configs.items()}
        for name, versions_by_label in labels.items():
            current = self._labels.get(name, {})
            model = self._models.get(name)
            available = set(model.available()) if model is not None else set()
            for label, version in versions_by_label.items():
                new = label not in current
                if version in available or current.get(label) == version:
                    continue
                if not (self._labels_for_unavailable and new):
                    raise status.failed_precondition(
                        f"Request to assign label to version {version} of model {name}, "
                        "which is not currently available for inference"
                    )
        return labels

    def _look_at_folders(self) -> None:
        for name, config in self._configs.items():
            if self._stopping.is_set():
                return
            try:
                found = source.list_versions(config.base_path)
            except status.StatusError as error:
                # Deviation: in TensorFlow Serving one missing folder ends this look for every
                # model after it. The versions already loaded go on serving in both.
                _log.warning("model %s: %s", name, error.message)
                continue
            if not found:
                _log.warning(
                    "No versions of servable %s found under base path %s. Did you forget to name "
                    "your leaf directory as a number (eg. '/1/')?",
                    name,
                    config.base_path,
                )
            chosen = source.choose_versions(found, config.model_version_policy)
            self._models[name].aspire(chosen)

    def _poll(self) -> None:
        while not self._stopping.wait(self._poll_secs):
            try:
                with self._looking:
                    self._look_at_folders()
            except Exception:  # watching must go on whatever one look met
                _log.exception("looking for new versions failed")

    def _wait_until_available(self, names: list[str]) -> None:
        failures = []
        for name in names:
            self._models[name].wait(_settled, _LONGEST_LOAD_SECS)
            if not self._models[name].available():
                failures += [
                    f"{{name: {name} version: {entry.version}}} due to error: {entry.error}"
                    for entry in self.statuses(name)
                    if entry.error is not None
                ]
        if failures:
            raise status.StatusError(
                grpc.StatusCode.UNKNOWN,
                f"{len(failures)} servable(s) did not become available: {{{', '.join(failures)}}}",
            )


def _settled(entries: list[versions.VersionStatus]) -> bool:
    """A version serves, or each that was tried has failed."""
    if any(entry.state is versions.State.AVAILABLE for entry in entries):
        return True
    return bool(entries) and all(entry.state is versions.State.END for entry in entries)


def _unloaded(entries: list[versions.VersionStatus]) -> bool:
    serving = (versions.State.AVAILABLE, versions.State.UNLOADING)
    return all(entry.state not in serving for entry in entries)
