"""Predict calls in the event loop of the gRPC port."""

import asyncio
import concurrent.futures
import contextlib
import threading

import grpc
import pytest

from emotion_faces.model_server import (
    calls,
    core,
    grpc_services,
    held,
    image_guard,
    metrics,
    status,
    versions,
)
from emotion_faces.protos import predict_pb2

MOST_HELD = 1 << 20


class Calls:
    """In place of the server's calls: each waits for `go`, and notes how it was asked."""

    def __init__(self):
        self.go = asyncio.Event()
        self.asked = []
        self.cancelled = self.ended = 0
        self.error = None

    @contextlib.contextmanager
    def recorded(self, *_):
        yield

    async def predict_in_loop(self, request, deadline):
        self.asked.append("loop")
        try:
            await self.go.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            await self.go.wait()  # a run under way can't be interrupted
        self.ended += 1
        if self.error is not None:
            raise self.error
        return predict_pb2.PredictResponse()

    def predict(self, request, deadline):
        self.asked.append("thread")
        return predict_pb2.PredictResponse()


class AbortedError(Exception):
    pass


class Context:
    def time_remaining(self):
        return None

    async def abort(self, code, message):
        raise AbortedError(code, message)


def serve(test):
    """Runs a test with a service and its calls, in an event loop."""

    async def run():
        answering = Calls()
        with concurrent.futures.ThreadPoolExecutor(1) as executor:
            service = grpc_services.PredictionService(
                answering, held.Held(MOST_HELD), executor, executor
            )
            await test(service, answering)

    asyncio.run(run())


def test_a_call_whose_caller_is_gone_is_told_so_and_is_waited_for():
    async def test(service, answering):
        call = asyncio.ensure_future(service.Predict(predict_pb2.PredictRequest(), Context()))
        await asyncio.sleep(0.01)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        ended = asyncio.ensure_future(service.ended())
        await asyncio.sleep(0.01)
        assert not ended.done(), "the version would be unloaded in the middle of its run"
        answering.go.set()
        await ended
        assert (answering.cancelled, answering.ended) == (1, 1)
        await service.ended()

    serve(test)


def test_a_large_request_is_for_a_thread():
    async def test(service, answering):
        answering.go.set()
        for length in (1, calls.MAX_IN_LOOP_BYTES + 1):
            await service.Predict(of_size(length), Context())
        assert answering.asked == ["loop", "thread"]

    serve(test)


def of_size(length):
    request = predict_pb2.PredictRequest()
    request.inputs["image_bytes"].string_val.append(b"x" * length)
    return request


@pytest.mark.parametrize("length", [1, calls.MAX_IN_LOOP_BYTES - 1000])
def test_more_than_may_be_held_is_refused_until_others_have_ended(length):
    async def test(service, answering):
        request = of_size(length)
        fit = MOST_HELD // (request.ByteSize() + held.CALL_BYTES)
        waiting = [asyncio.ensure_future(service.Predict(request, Context())) for _ in range(fit)]
        await asyncio.sleep(0.01)
        assert len(answering.asked) == fit
        for _ in range(2):
            with pytest.raises(AbortedError) as aborted:
                await service.Predict(request, Context())
            code, message = aborted.value.args
            assert code is grpc.StatusCode.RESOURCE_EXHAUSTED
            assert "--max_held_bytes" in message
        waiting[0].cancel()  # its run goes on, and what it holds stays
        await asyncio.sleep(0.01)
        with pytest.raises(AbortedError):
            await service.Predict(request, Context())
        answering.go.set()
        await asyncio.wait(waiting)
        await service.ended()
        for _ in range(2 * fit):
            await service.Predict(request, Context())

    serve(test)


def test_what_a_thread_answers_is_held_until_it_has_whether_its_caller_is_gone_or_not():
    async def test(service, answering):
        go = threading.Event()

        def predict(*_):
            assert go.wait(10)
            return predict_pb2.PredictResponse()

        answering.predict = predict
        large = of_size(MOST_HELD // 2)
        gone = asyncio.ensure_future(service.Predict(large, Context()))
        await asyncio.sleep(0.05)
        gone.cancel()
        with pytest.raises(asyncio.CancelledError):
            await gone
        with pytest.raises(AbortedError):
            await service.Predict(large, Context())
        go.set()
        for _ in range(5):
            await asyncio.sleep(0.05)
            with contextlib.suppress(AbortedError):
                assert await service.Predict(large, Context()) == predict_pb2.PredictResponse()
                return
        pytest.fail("nothing was given back")

    serve(test)


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (status.invalid_argument("no"), grpc.StatusCode.INVALID_ARGUMENT, "no"),
        (KeyError("x"), grpc.StatusCode.INTERNAL, "KeyError: 'x'"),
    ],
)
def test_what_fails_is_told(error, code, message):
    async def test(service, answering):
        answering.go.set()
        answering.error = error
        with pytest.raises(AbortedError) as aborted:
            await service.Predict(predict_pb2.PredictRequest(), Context())
        assert aborted.value.args == (code, message)

    serve(test)


_UNREADABLE = (grpc.StatusCode.INTERNAL, "Exception deserializing request!")


@pytest.mark.parametrize(
    ("method", "told"),
    [
        ("PredictionService/Predict", "Missing ModelSpec"),
        ("PredictionService/Classify", "Missing ModelSpec"),
        ("PredictionService/Regress", "Missing ModelSpec"),
        ("PredictionService/MultiInference", "ModelSpec has no name specified."),
        ("PredictionService/GetModelMetadata", "Missing ModelSpec"),
        ("ModelService/GetModelStatus", "Missing ModelSpec"),
        ("ModelService/HandleReloadConfigRequest", "ServerModelConfig type not supported"),
    ],
)
def test_what_a_caller_does_wrong_is_told_to_the_caller_alone(method, told, caplog):
    """In the log it would be a traceback for each."""
    server_core = core.ServerCore(lambda *_: None, versions.RetryPolicy(0, 0))
    limits = image_guard.ImageLimits()
    answering = calls.Calls(server_core, metrics.Metrics(), limits)

    async def ask(channel, message):
        with pytest.raises(grpc.aio.AioRpcError) as failed:
            await channel.unary_unary(f"/tensorflow.serving.{method}")(message, timeout=60)
        return failed.value.code(), failed.value.details()

    async def test():
        server = grpc.aio.server()
        grpc_services.add_services(
            server,
            grpc_services.PredictionService(answering, held.Held(MOST_HELD), executor, executor),
            grpc_services.ModelService(server_core, answering, True, executor, executor),
        )
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            answers = [await ask(channel, message) for message in (b"", b"\xff\xff")]
        await server.stop(None)
        return answers

    with concurrent.futures.ThreadPoolExecutor(1) as executor:
        (code, details), unreadable = asyncio.run(test())
    assert code is grpc.StatusCode.INVALID_ARGUMENT
    assert details.startswith(told)
    assert unreadable == _UNREADABLE
    assert caplog.records == []
