"""The stand-in: source, manager, and the two services."""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Any

from tests.serving.models import Load, LoadError, Predict, light_model

# Numbers of ModelVersionStatus.State.
START, LOADING, AVAILABLE, UNLOADING, END = 10, 20, 30, 40, 50
_OK, _UNKNOWN_ERROR = 0, 2  # of tensorflow.error.Code

_VERSION = re.compile(r"\s*[+-]?[0-9]+\s*", re.ASCII)  # as absl reads an integer
_MOST = 2**63 - 1


def versions(base: Path, latest: int | None) -> dict[int, Path]:
    """The versions that the source aspires: the latest N, or all, by number."""
    try:
        names = os.listdir(base)
    except FileNotFoundError:
        return {}
    found = {int(name): base / name for name in sorted(names) if _VERSION.fullmatch(name)}
    ordered = sorted(number for number in found if 0 <= number <= _MOST)
    return {number: found[number] for number in (ordered if latest is None else ordered[-latest:])}


class Manager:
    """The life of every version: loads what is aspired, unloads what no longer is."""

    def __init__(self, load: Load, on_change: Callable[[int, int], None]) -> None:
        self.states: dict[int, tuple[int, str]] = {}
        """Per version that was ever known: state, and error if it has one."""
        self._load = load
        self._on_change = on_change
        self._loaded: dict[int, Predict] = {}
        self._failed: set[int] = set()
        self._lock = threading.Lock()

    def settle(self, aspired: dict[int, Path]) -> None:
        """Takes every version where it belongs, one after the other."""
        self._failed &= aspired.keys()
        for number, path in sorted(aspired.items()):
            if number not in self._loaded and number not in self._failed:
                self._bring_up(number, path)
        serving = self._loaded.keys() & aspired.keys()
        for number in sorted(self._loaded.keys() - aspired.keys()):
            if serving or not aspired:  # availability comes first
                self._take_down(number)

    def find(self, number: int | None) -> tuple[int, Predict] | None:
        """A version that is AVAILABLE: that of the number, or the latest."""
        with self._lock:
            ready = {one: self._loaded[one] for one in self._loaded if self.states[one][0] == AVAILABLE}
            wanted = max(ready, default=None) if number is None else number
            return None if wanted not in ready else (wanted, ready[wanted])

    def _bring_up(self, number: int, path: Path) -> None:
        self._enter(number, START)
        self._enter(number, LOADING)
        try:
            loaded = self._load(path)
        except (LoadError, OSError) as error:
            self._failed.add(number)
            self._enter(number, END, str(error))
            return
        with self._lock:
            self._loaded[number] = loaded
        self._enter(number, AVAILABLE)

    def _take_down(self, number: int) -> None:
        self._enter(number, UNLOADING)
        with self._lock:
            del self._loaded[number]
        self._enter(number, END)

    def _enter(self, number: int, state: int, error: str = "") -> None:
        with self._lock:
            self.states[number] = (state, error)
        self._on_change(number, state)


class ModelServer:
    """A model server that watches one base directory, while the `with` block runs.

    Attributes:
      address: `127.0.0.1:<port>`.
      model_name: what it calls the model.
      seen: every state that every version entered, in that order.
    """

    def __init__(
        self,
        base: Path,
        model_name: str = "inception",
        *,
        latest: int | None = 1,
        load: Load = light_model,
        poll_seconds: float | None = 0.02,
        port: int = 0,
    ) -> None:
        """Starts to answer, and polls once.

        Args:
          latest: how many of the newest versions it serves; None for all.
          poll_seconds: time between two looks at the base directory; None looks only when `poll` is called.
          port: to listen at; 0 for any that is free.
        """
        self.base = Path(base)
        self.model_name = model_name
        self.seen: list[tuple[int, int]] = []
        self._latest = latest
        self._manager = Manager(load, lambda number, state: self.seen.append((number, state)))
        self._done = threading.Event()
        self._services, bound = _serve(self, port)
        self.address = f"127.0.0.1:{bound}"
        self.poll()
        self._poller = threading.Thread(target=self._keep_polling, args=(poll_seconds,), daemon=True)
        if poll_seconds is not None:
            self._poller.start()

    def poll(self) -> None:
        """Looks at the base directory once, and settles what follows from it."""
        self._manager.settle(versions(self.base, self._latest))

    def stop(self) -> None:
        """Ends at once."""
        self._done.set()
        if self._poller.is_alive():
            self._poller.join()
        self._services.stop(None).wait()

    @property
    def available(self) -> list[int]:
        """Versions that it serves now."""
        return sorted(number for number, (state, _) in self._states() if state == AVAILABLE)

    @property
    def refused(self) -> dict[int, str]:
        """Versions that it could not load, with the reason."""
        return {number: error for number, (_, error) in self._states() if error}

    def _states(self) -> list[tuple[int, tuple[int, str]]]:
        return list(self._manager.states.items())

    def __enter__(self) -> ModelServer:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def _keep_polling(self, seconds: float) -> None:
        while not self._done.wait(seconds):
            self.poll()

    # What the services answer.

    def status(self, request: Any, context: Any) -> Any:
        import grpc
        from tensorflow_serving.apis import get_model_status_pb2 as api

        response = api.GetModelStatusResponse()  # pyright: ignore[reportAttributeAccessIssue]
        wanted = request.model_spec.version.value if request.model_spec.HasField("version") else None
        if request.model_spec.name == self.model_name:
            for number, (state, error) in sorted(self._states(), reverse=True):
                if wanted in (None, number):
                    one = response.model_version_status.add(version=number, state=state)
                    one.status.error_code = _UNKNOWN_ERROR if error else _OK
                    one.status.error_message = error
        if not response.model_version_status:
            name = request.model_spec.name
            context.abort(grpc.StatusCode.NOT_FOUND, f"Could not find any versions of model {name}")
        return response

    def predict(self, request: Any, context: Any) -> Any:
        import grpc
        from tensorflow_serving.apis import predict_pb2 as api

        spec = request.model_spec
        wanted = spec.version.value if spec.HasField("version") else None
        found = self._manager.find(wanted) if spec.name == self.model_name else None
        if found is None:
            which = f"Latest({spec.name})" if wanted is None else f"Specific({spec.name}, {wanted})"
            context.abort(grpc.StatusCode.NOT_FOUND, f"Servable not found for request: {which}")
            raise AssertionError("abort raises")
        number, answer = found
        response = api.PredictResponse()  # pyright: ignore[reportAttributeAccessIssue]
        response.model_spec.name = spec.name
        response.model_spec.version.value = number
        for name, tensor in answer(spec.signature_name, request.inputs).items():
            response.outputs[name].CopyFrom(tensor)
        return response


def _serve(server: ModelServer, port: int) -> tuple[Any, int]:
    import grpc
    from tensorflow_serving.apis import model_service_pb2_grpc, prediction_service_pb2_grpc

    class ModelService(model_service_pb2_grpc.ModelServiceServicer):
        def GetModelStatus(self, request: Any, context: Any) -> Any:
            return server.status(request, context)

    class PredictionService(prediction_service_pb2_grpc.PredictionServiceServicer):
        def Predict(self, request: Any, context: Any) -> Any:
            return server.predict(request, context)

    services = grpc.server(ThreadPoolExecutor(4))
    model_service_pb2_grpc.add_ModelServiceServicer_to_server(ModelService(), services)
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(PredictionService(), services)
    bound = services.add_insecure_port(f"127.0.0.1:{port}")
    services.start()
    return services, bound
