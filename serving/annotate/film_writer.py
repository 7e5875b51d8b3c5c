"""Writes marked films: H.264 and AAC in an MP4, with the times and the sound of the film they copy."""

from __future__ import annotations

import contextlib
import pathlib
import types
from collections.abc import Iterator
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

from emotion_faces.annotate.sound import FilmSound, SoundError
from emotion_faces.errors import UserError
from emotion_faces.names import printable

if TYPE_CHECKING:
    import av

_TIME_BASE = Fraction(1, 90_000)  # MPEG's: it holds every usual frame rate
_LONGEST_FRAME = 2**31 - 1  # in that time base: MP4 has 32 bits for it
_LONGEST_SIDE_PX = 16_384  # libx264 refuses more
_H264_OPTIONS = {"preset": "veryfast", "crf": "21", "bf": "0"}
"""Without B-frames, as with them an MP4's times of decoding say nothing of what the last frame lasts."""
_MP4_OPTIONS = {"movflags": "+faststart"}
_BIT_RATE_PER_CHANNEL = 64_000
_BT709 = 1
"""The number of ITU-R BT.709 in libavutil/pixfmt.h, as matrix, primaries and transfer alike."""
_LIMITED_RANGE = 1  # AVCOL_RANGE_MPEG


class FilmWriter:
    """A film under way; a context manager.

    However the block ends, the file is closed: what was written until then plays. Where no frame
    was written there is no file.

    Args:
      path: The file to make; it must not exist.
      width, height: Of the frames, in pixels; the film's are even, as the format has it.
      fps: The mean rate.
      sound_from: The film whose first sound track is taken over; None for a silent one.

    Attributes:
      sound_damage: What of the sound could not be taken over, in words.

    Raises:
      UserError: The file can't be written, or a side is above 16,384 pixels.
    """

    def __init__(
        self,
        path: pathlib.Path,
        width: int,
        height: int,
        fps: float,
        sound_from: pathlib.Path | None,
    ):
        self._path = path
        self._exit = contextlib.ExitStack()
        self._frames = 0
        self._sounded = 0.0
        self._waiting: tuple[av.VideoFrame, int] | None = (
            None  # until the time of the next one is known
        )
        self._durations: dict[int | None, int] = {}
        self.sound_damage: list[str] = []
        if max(width, height) > _LONGEST_SIDE_PX:
            raise UserError(
                f"{printable(path)} can't be written: its frames are of {width} x {height} pixels, and H.264 has "
                f"{_LONGEST_SIDE_PX:,} a side at most; scale the film down first"
            )
        with self._telling():
            path.open("xb").close()
            try:
                self._open(width, height, fps, sound_from)
            except BaseException:
                self._close()
                raise

    def __enter__(self) -> FilmWriter:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: types.TracebackType | None,
    ) -> None:
        if exc is None:
            with self._telling():
                self._finish()
        else:
            import av

            # The first error is the one to tell.
            with contextlib.suppress(av.FFmpegError, OSError, ValueError):
                self._finish()

    def write(self, image: np.ndarray, seconds: float) -> None:
        """Adds a frame: uint8 RGB [height, width, 3], shown from `seconds` on."""
        import av

        if image.shape[0] % 2 or image.shape[1] % 2:
            image = np.pad(image, [(0, s % 2) for s in image.shape[:2]] + [(0, 0)], mode="edge")
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")
        frame = frame.reformat(
            format="yuv420p", dst_colorspace=_BT709, dst_color_range=_LIMITED_RANGE
        )
        frame.time_base = _TIME_BASE
        frame.pts = time = round(seconds / _TIME_BASE)
        with self._telling():
            if self._waiting is not None:
                self._encode(*self._waiting, until=time)
            self._waiting = frame, time
            self._write_sound(until=seconds)

    def write_rest_of_sound(self) -> None:
        """Adds the sound that goes on after the pictures; else it ends where they do."""
        with self._telling():
            self._write_sound(until=float("inf"))

    def _encode(self, frame: av.VideoFrame, time: int, until: int) -> None:
        self._durations[time] = until - time
        self._mux_pictures(self._pictures.encode(frame))
        self._frames += 1

    def _mux_pictures(self, packets: list[av.Packet[av.VideoStream]]) -> None:
        for packet in packets:
            # The encoder gives none, and a film would end before its last frame does.
            packet.duration = self._durations.pop(packet.pts, self._step)
            self._container.mux(packet)

    def _open(self, width: int, height: int, fps: float, sound_from: pathlib.Path | None) -> None:
        import av

        self._container = self._exit.enter_context(
            av.open(str(self._path.absolute()), "w", format="mp4", options=_MP4_OPTIONS)
        )
        # As seconds a frame where it is below one a second: a fraction of 1001ths would be none.
        rate = (
            Fraction(fps).limit_denominator(1001)
            if fps >= 1
            else 1 / Fraction(1 / fps).limit_denominator(1001)
        )
        self._step = min(round(1 / rate / _TIME_BASE), _LONGEST_FRAME)
        self._pictures = self._container.add_stream("libx264", rate, options=_H264_OPTIONS)
        self._pictures.width = width + width % 2
        self._pictures.height = height + height % 2
        self._pictures.pix_fmt = "yuv420p"
        coding = self._pictures.codec_context
        coding.time_base = _TIME_BASE
        coding.colorspace = coding.color_primaries = coding.color_trc = _BT709
        coding.color_range = _LIMITED_RANGE
        self._samples: Iterator[av.AudioFrame] | None = None
        self._sound: FilmSound | None = None
        try:
            if sound_from is not None:
                self._sound = self._exit.enter_context(FilmSound(sound_from))
        except SoundError as error:
            self.sound_damage.append(str(error))
        if self._sound is not None and self._sound.rate:
            self._track = self._container.add_stream(
                "aac", self._sound.rate, layout=self._sound.layout
            )
            self._track.bit_rate = _BIT_RATE_PER_CHANNEL * self._track.layout.nb_channels
            self._samples = self._sound.frames()

    def _write_sound(self, until: float) -> None:
        """Takes over the sound up to second `until`, in whole frames."""
        while self._samples is not None and self._sounded < until:
            try:
                frame = next(self._samples, None)
            except SoundError as error:
                self.sound_damage.append(f"{error}; the copy is silent from there on")
                frame = None
            if frame is None:
                self._samples = None
                return
            self._container.mux(self._track.encode(frame))
            self._sounded += frame.samples / frame.sample_rate

    def _finish(self) -> None:
        try:
            if self._waiting is not None:
                end = self._waiting[1] + self._step
                self._encode(*self._waiting, until=end)
                self._mux_pictures(self._pictures.encode(None))
                self._write_sound(until=float(end * _TIME_BASE))
                if self._sound is not None and self._sound.rate:
                    self._container.mux(self._track.encode(None))
                    if self._sound.undecoded:
                        self.sound_damage.append(
                            f"{self._sound.undecoded} packets of its sound can't be decoded"
                        )
        finally:
            self._close()

    def _close(self) -> None:
        try:
            self._exit.close()
        finally:
            if not self._frames:
                self._path.unlink(missing_ok=True)

    @contextlib.contextmanager
    def _telling(self) -> Iterator[None]:
        import av

        try:
            yield
        except (av.FFmpegError, OSError) as error:
            reason = error.strerror or error
            raise UserError(f"{printable(self._path)} can't be written: {reason}") from None
