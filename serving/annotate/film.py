"""Reads films frame by frame: upright, in their own shape, each at its own time."""

from __future__ import annotations

import collections
import contextlib
import heapq
import pathlib
import re
import struct
import types
from collections.abc import Generator, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from emotion_faces.annotate.faces import Shot
from emotion_faces.annotate.film_clock import FilmClock
from emotion_faces.annotate.film_file import open_film, read_packets
from emotion_faces.annotate.film_stream import FilmStream
from emotion_faces.errors import UserError
from emotion_faces.faces.pictures import MAX_PIXELS
from emotion_faces.names import printable
from emotion_faces.upright import Turn, turned

if TYPE_CHECKING:
    import av
    import av.container

_DEFAULT_FPS = 25.0
_MAX_FPS = 240.0  # some containers state their clock's rate (1,000 or 90,000) and not the film's
_MAX_ASPECT = 10  # of a pixel; more is a slip in the file, which players pass over too
_LENGTH_IS_STATED = frozenset(
    {"avi", "asf", "flv", "matroska,webm", "mov,mp4,m4a,3gp,3g2,mj2", "rtsp"}
)
"""Containers, and servers, that state how long they are; of the others libav estimates it from their bit rate."""

_TIMES_OF_DECODING = frozenset({"avi", "mxf"})
"""Containers of which libav may take the order of decoding for that of showing: the times are right but permuted."""

_AVI_UNFINISHED = 1 << 30
"""What an AVI whose recording broke off, or that went into a pipe, has for a number of frames."""

_MOST_REORDERED = 16
"""Frames that H.264 and HEVC may hold back."""

_SLACK, _SLACK_SECS = 0.02, 0.5
"""A film that ends within this of the stated length, in parts or seconds of it, is whole."""


class FilmReader:
    """An open film; a context manager.

    Attributes:
      width, height: Of its frames, in pixels, upright and with the pixels made square.
      fps: Its mean rate; 25 where the file states none.
      frame_count: How many frames there may be, for a progress line; 0 where nobody knows.
      frames_read: How many frames() has given so far.
      seconds_read: When the last of them is, from the film's beginning.
      damage: What could not be read, in words; complete once frames() has ended.

    Raises:
      UserError: The file is missing, empty, or no film with pictures that can be decoded.
    """

    def __init__(self, path: pathlib.Path | FilmStream):
        self._live = path if isinstance(path, FilmStream) else None
        self._name = path.name if isinstance(path, FilmStream) else printable(path)
        self._exit = contextlib.ExitStack()
        self.damage: list[str] = []
        self._container = self._exit.enter_context(open_film(path, self.damage))
        try:
            self._stream = self._choose_stream()
            self._clock = FilmClock(self._container)
            self.fps = self._mean_rate()
            self.frame_count = self._guess_count()
            self.frames_read = 0
            self._undecoded = 0
            self.seconds_read = 0.0
            self._frames = self._decode()
            if self._container.format.name in _TIMES_OF_DECODING:
                self._frames = _in_order(self._frames)
            self._first = next(self._frames, None)
            if self._first is None:
                why = "; ".join(["no frame in it can be read", *self.damage])
                raise UserError(f"{self._name}: {why}")
            self._set_shape(self._first)
        except BaseException:
            self._exit.close()
            raise

    def __enter__(self) -> FilmReader:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: types.TracebackType | None,
    ) -> None:
        self._frames.close()
        self._exit.close()

    def frames(self, every: int = 1) -> Iterator[Shot]:
        """Every frame, once, numbered from 0; frames 0, every, 2 * every... are to be analysed."""
        while (frame := self._next()) is not None:
            number = self.frames_read
            seconds = self._clock.seconds(self._stream.index, frame.time, 1 / self.fps)
            self.seconds_read = max(self.seconds_read, seconds)
            self.frames_read += 1
            image = self._upright(frame)
            yield Shot(image, self._name, number, seconds, analysed=number % every == 0)

    def _next(self) -> av.VideoFrame | None:
        if self._first is not None:
            first, self._first = self._first, None
            return first
        return next(self._frames, None)

    def _choose_stream(self) -> av.VideoStream:
        import av.stream

        covers = av.stream.Disposition.attached_pic
        films = [s for s in self._container.streams.video if not s.disposition & covers]
        best = self._container.streams.best("video")
        stream = best if best in films else next(iter(films), None)
        if stream is None:
            raise UserError(f"{self._name} has no pictures: it is not a film")
        assert isinstance(stream, av.VideoStream)
        if stream.codec_context is None:
            raise UserError(f"{self._name}: there is no decoder for the way its pictures are coded")
        if stream.width * stream.height > MAX_PIXELS:
            raise self._too_large(stream.width, stream.height)
        # A film may grow larger as it goes on.
        stream.codec_context.options = {"max_pixels": str(MAX_PIXELS)}
        # With threads that decode frames ahead, what damage takes with it would depend on their number.
        stream.thread_type = "SLICE"
        return stream

    def _too_large(self, width: int, height: int) -> UserError:
        return UserError(f"{self._name} has frames of {width} x {height} pixels: too large")

    def _mean_rate(self) -> float:
        for rate in (self._stream.average_rate, self._stream.guessed_rate):
            if rate and 0 < rate <= _MAX_FPS:
                return float(rate)
        return _DEFAULT_FPS

    def _guess_count(self) -> int:
        if self._stream.frames > 0:
            return self._stream.frames
        return max(0, round((self._container.duration or 0) / 1e6 * self.fps))

    def _decode(self) -> Generator[av.VideoFrame, None, None]:
        """Goes on after what cannot be read or decoded, and counts it."""
        import av

        end = pictures_end = coded = shown = 0.0
        # A transport stream that lost a part of a frame says so, and its decoder may not. It says the same
        # of one of the last two before another recording that was joined on, where the time goes back.
        suspects, last = (False, False), 0
        for packet in self._packets():
            if packet.stream.index != self._stream.index:
                end = max(end, self._end_of(packet))
                continue
            if not packet.size and packet.dts is not None:
                continue  # the frame before is shown for longer; libav refuses an empty packet
            if packet.dts is not None:
                if packet.dts < last:
                    suspects = (False, False)
                self._undecoded += suspects[0]
                suspects, last = (suspects[1], packet.is_corrupt), packet.dts
            try:
                frames = packet.decode()
            except av.FFmpegError:
                self._undecoded += 1
                continue
            pictures_end = max(pictures_end, self._end_of(packet))
            if not packet.is_discard:  # cut away by an edit list
                coded = max(coded, self._time_of(packet) or 0.0)
            for frame in frames:
                assert isinstance(frame, av.VideoFrame)
                self._undecoded += frame.is_corrupt
                time = self._time_of(frame)
                shown = max(shown, coded if time is None else time)
                yield frame
        self._undecoded += sum(suspects)
        if self._undecoded:
            self.damage.append(f"{self._undecoded} of its frames can't be decoded whole")
        # A decoder may pass over what it can't decode without a word.
        if shown < coded - max(_SLACK_SECS, _SLACK * coded):
            self.damage.append(f"nothing after {shown:.1f} of {coded:.1f} s can be decoded")
        else:
            self._tell_end(max(end, pictures_end), pictures_end)

    def _packets(self) -> Iterator[av.Packet[Any]]:
        for packet in read_packets(self._container, self.damage):
            yield packet
            if self._live:
                self._live.wait_for_packet()

    def _time_of(self, coded: av.Packet[Any] | av.VideoFrame) -> float | None:
        stamp = coded.dts if coded.pts is None else coded.pts
        if stamp is None or not coded.time_base:
            return None
        return float(stamp * coded.time_base) - self._clock.start

    def _end_of(self, packet: av.Packet[Any]) -> float:
        time = self._time_of(packet)
        return 0.0 if time is None else time + float((packet.duration or 0) * packet.time_base)

    def _tell_end(self, end: float, pictures_end: float) -> None:
        if self._container.format.name not in _LENGTH_IS_STATED:
            return
        # Some that write Matroska state the time at which it ends, which is later where it does not begin at 0.
        from_zero = self._container.format.name == "matroska,webm"
        uncounted = max(0.0, self._clock.start) if from_zero else 0.0
        # libav takes an AVI's length from what there is of it, and counts empty pieces of its sound.
        whole = 0 if self._container.format.name == "avi" else self._container.duration or 0
        for what, length, stated in (
            ("it ends", end, whole / 1e6),
            ("its pictures end", pictures_end, self._stated_end()),
        ):
            if length + uncounted < stated - max(_SLACK_SECS, _SLACK * stated):
                self.damage.append(
                    f"{what} after {length:.1f} of the {stated:.1f} s that it states"
                )
                return

    def _stated_end(self) -> float:
        """When the pictures end, in seconds, by the container; 0 where it does not say."""
        stream = self._stream
        if self._container.format.name == "avi":
            is_stated = stream.frames < _AVI_UNFINISHED
            return float(stream.frames * (stream.time_base or 0)) if is_stated else 0.0
        if stream.duration and stream.time_base:
            end = (stream.start_time or 0) + stream.duration
            return float(end * stream.time_base) - self._clock.start
        # Matroska has it in a tag of each track: 00:01:02.345000000
        parts = re.fullmatch(r"(\d+):(\d\d):(\d\d\.?\d*)", stream.metadata.get("DURATION", ""))
        return (
            sum(float(p) * u for p, u in zip(parts.groups(), (3600, 60, 1), strict=True))
            if parts
            else 0.0
        )

    def _set_shape(self, frame: av.VideoFrame) -> None:
        aspect = float(self._stream.sample_aspect_ratio or 1)
        if not 1 / _MAX_ASPECT <= aspect <= _MAX_ASPECT:
            aspect = 1.0
        # The shorter side of a pixel grows, so that nothing that was recorded is lost.
        self._width = max(1, round(frame.width * max(aspect, 1.0)))
        self._height = max(1, round(frame.height / min(aspect, 1.0)))
        if self._width * self._height > MAX_PIXELS:
            raise self._too_large(self._width, self._height)
        self._aspect = aspect
        self._turn = turn_of(frame)
        across = self._turn.transposed
        self.width = self._height if across else self._width
        self.height = self._width if across else self._height

    def _upright(self, frame: av.VideoFrame) -> np.ndarray:
        # All frames are as large as the first one, as the copy has one size for all; those of another shape have
        # black beside them.
        shape = frame.width * self._aspect, frame.height
        factor = min(self._width / shape[0], self._height / shape[1])
        width, height = (max(1, round(side * factor)) for side in shape)
        pixels = frame.to_ndarray(format="rgb24", width=width, height=height)
        if (width, height) != (self._width, self._height):
            above, left = (self._height - height) // 2, (self._width - width) // 2
            whole = np.zeros((self._height, self._width, 3), np.uint8)
            whole[above : above + height, left : left + width] = pixels
            pixels = whole
        return turned(pixels, self._turn)


def _in_order(
    frames: Generator[av.VideoFrame, None, None],
) -> Generator[av.VideoFrame, None, None]:
    """Gives the frames in their order, and their time stamps in that of time."""
    waiting: collections.deque[av.VideoFrame] = collections.deque()
    stamps: list[int] = []
    try:
        for frame in frames:
            waiting.append(frame)
            if frame.pts is not None:
                heapq.heappush(stamps, frame.pts)
            if len(waiting) > _MOST_REORDERED:
                yield _stamped(waiting.popleft(), stamps)
        while waiting:
            yield _stamped(waiting.popleft(), stamps)
    finally:
        frames.close()


def _stamped(frame: av.VideoFrame, stamps: list[int]) -> av.VideoFrame:
    if frame.pts is not None:
        frame.pts = heapq.heappop(stamps)
    return frame


def turn_of(frame: av.VideoFrame) -> Turn:
    """How a frame must be turned to stand upright, to the quarter.

    From libav's display matrix (`libavutil/display.h`): rows (a, b, u), (c, d, v), (x, y, w) as
    int32, by which a pixel (p, q) is shown at (a p + c q + x, b p + d q + y).
    """
    matrix: Any = frame.side_data.get("DISPLAYMATRIX")
    if matrix is None:
        return Turn()
    a, b, _, c, d = struct.unpack_from("=5i", bytes(matrix))
    if abs(a) + abs(d) >= abs(b) + abs(c):
        return Turn(False, mirrored=a < 0, flipped=d < 0)
    return Turn(True, mirrored=c < 0, flipped=b < 0)
