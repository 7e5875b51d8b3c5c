"""The sound of a film, decoded and laid on the film's own time line."""

from __future__ import annotations

import contextlib
import pathlib
import types
from collections.abc import Generator, Iterator
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

from emotion_faces.annotate.film_clock import FilmClock
from emotion_faces.annotate.film_file import open_film, read_packets

if TYPE_CHECKING:
    import av

_FORMAT = "flt"
"""Float32, the channels in turn: PyAV 17 reads past the end of a frame of eight planes."""

_RATES = (48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000)
_LAYOUTS = frozenset(
    {"mono", "stereo", "3.0", "4.0", "5.0", "5.0(side)", "5.1", "5.1(side)", "7.1", "7.1(wide)"}
)
"""What the encoder takes by a name that every player knows; all others are mixed down to two."""

_TOLERANCE_SECS = 0.04
"""Time stamps are rounded; sound is moved only where it is further off than ears or eyes can tell."""


class SoundError(Exception):
    """The sound cannot be taken over; the text says why."""


class FilmSound:
    """The first sound track of a film, with silence where it has none; a context manager.

    Attributes:
      rate: Samples a second of what frames() gives; 0 where the film has no sound.
      layout: Its channels, in FFmpeg's words.
      undecoded: How many packets could not be decoded so far.

    Raises:
      SoundError: There is no decoder for it, or nothing in it can be decoded.
      UserError: The film can't be read.
    """

    def __init__(self, path: pathlib.Path):
        self._exit = contextlib.ExitStack()
        self._container = self._exit.enter_context(open_film(path, []))
        self.undecoded = 0
        try:
            self._clock = FilmClock(self._container)
            self._decoded = self._decode()
            if not self._container.streams.audio:
                self.rate, self.layout = 0, ""
                return
            self._stream = self._container.streams.audio[0]
            first = self._first = next(self._decoded, None)
            if first is None:
                raise SoundError("nothing of its sound can be decoded")
            self.rate = min(_RATES, key=lambda rate: abs(rate - first.sample_rate))
            name = first.layout.name
            self.layout = name if name in _LAYOUTS else "stereo"
        except BaseException:
            self._exit.close()
            raise

    def __enter__(self) -> FilmSound:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: types.TracebackType | None,
    ) -> None:
        self._decoded.close()
        self._exit.close()

    def frames(self) -> Iterator[av.AudioFrame]:
        """The sound from second 0 on, without gaps, at `rate` in `layout`.

        Raises:
          SoundError: It can't be converted.
        """
        done = 0
        for start, samples in self._placed():
            channels = samples.shape[1]
            gap = start - done
            if abs(gap) <= _TOLERANCE_SECS * self.rate:
                gap = 0
            while gap > 0:
                silent = np.zeros((min(gap, self.rate // 10), channels), np.float32)
                yield self._frame(silent, done)
                done += len(silent)
                gap -= len(silent)
            samples = samples[-gap:]
            if len(samples):
                yield self._frame(samples, done)
                done += len(samples)

    def _frame(self, samples: np.ndarray, start: int) -> av.AudioFrame:
        import av

        frame = av.AudioFrame.from_ndarray(
            np.ascontiguousarray(samples).reshape(1, -1), format=_FORMAT, layout=self.layout
        )
        frame.sample_rate = self.rate
        frame.time_base = Fraction(1, self.rate)
        frame.pts = start
        return frame

    def _placed(self) -> Iterator[tuple[int, np.ndarray]]:
        """Where samples begin, in samples from second 0, and float32 [n, channels] of them."""
        import av

        resampler: av.AudioResampler | None = None
        kind: tuple[object, ...] = ()
        frame: av.AudioFrame | None = self._first
        try:
            while frame is not None:
                now = (frame.format.name, frame.sample_rate, frame.layout.name)
                if now != kind:  # broadcasts change between stereo and more channels
                    yield from _arrays(resampler, None)
                    resampler = av.AudioResampler(_FORMAT, self.layout, self.rate)
                    kind = now
                step = frame.samples / frame.sample_rate
                seconds = self._clock.seconds(self._stream.index, frame.time, step)
                frame.time_base = Fraction(1, frame.sample_rate)
                frame.pts = round(seconds * frame.sample_rate)
                yield from _arrays(resampler, frame)
                frame = next(self._decoded, None)
            yield from _arrays(resampler, None)
        except (av.FFmpegError, ValueError) as error:
            raise SoundError(f"its sound can't be converted ({error})") from None

    def _decode(self) -> Generator[av.AudioFrame, None, None]:
        import av

        if self._stream.codec_context is None:
            raise SoundError("there is no decoder for the way its sound is coded")
        for packet in read_packets(self._container, [], self._stream):
            try:
                frames = packet.decode()
            except av.FFmpegError:
                self.undecoded += 1
                continue
            for frame in frames:
                assert isinstance(frame, av.AudioFrame)
                yield frame


def _arrays(
    resampler: av.AudioResampler | None, frame: av.AudioFrame | None
) -> Iterator[tuple[int, np.ndarray]]:
    if resampler is None:
        return
    for out in resampler.resample(frame):
        yield out.pts or 0, out.to_ndarray().reshape(out.samples, -1)
