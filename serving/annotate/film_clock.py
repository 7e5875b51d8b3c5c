"""The times of a film's frames and sound, from the time stamps that its container has."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import av.container

_MAX_STEP_BACK_SECS = 0.25
"""A shorter step back is a time stamp that shakes; a longer one is where recordings were joined."""

_LEAST_STEP_SECS = 1 / 45_000
"""Two ticks of the clock that a copy is written by: frames that are closer would have the same time."""

_MAX_GAP_SECS = 3600.0
"""A longer gap is a broken time stamp: it would be hours of silence."""

_PAST_END_SECS = 10.0
"""So is a gap longer than this that leads as far past the stated end."""


class FilmClock:
    """Seconds since a film's beginning; pictures and sound share it, and so are in step.

    A stream whose time stamps jump (recordings that were joined, damage) goes on from where it was. Where only
    one of them was wrong, as a decoder gives them out of order after damage, the ones after it count as before.

    Attributes:
      start: The container's own time, in seconds, of the beginning.
    """

    def __init__(self, container: av.container.InputContainer):
        self.start = (container.start_time or 0) / 1e6
        duration = (container.duration or 0) / 1e6
        self._limit = duration + _PAST_END_SECS if duration > 0 else float("inf")
        self._last: dict[int, float] = {}
        self._shift: dict[int, float] = {}
        self._shift_before: dict[int, float] = {}

    def seconds(self, stream: int, stamp: float | None, step: float) -> float:
        """The time of a stream's next frame.

        Args:
          stream: Its number.
          stamp: The frame's time as the container has it; None where it has none.
          step: What a frame lasts, where nothing better is known.

        Returns:
          Seconds from 0 up, more than the stream's frame before.
        """
        last = self._last.get(stream)
        expected = 0.0 if last is None else last + step
        shift = self._shift.get(stream, 0.0)
        seconds = expected if stamp is None else stamp - self.start + shift
        gap = seconds - expected
        before = self._shift_before.get(stream, shift)
        on_old_line = seconds - shift + before
        if (
            gap > _MAX_STEP_BACK_SECS
            and on_old_line >= (last or 0.0) - _MAX_STEP_BACK_SECS
            and abs(on_old_line - expected) < gap
        ):
            self._shift[stream], shift = before, before
            seconds = on_old_line
            gap = seconds - expected
        past_end = seconds - shift > self._limit and gap > _PAST_END_SECS
        if past_end or gap > _MAX_GAP_SECS or seconds < (last or 0.0) - _MAX_STEP_BACK_SECS:
            self._shift_before[stream], self._shift[stream] = shift, shift - gap
            seconds = expected
        if last is not None and seconds < last + _LEAST_STEP_SECS:
            seconds = last + step / 100  # time stamps that shake: the order of decoding is right
        self._last[stream] = max(seconds, 0.0)
        return self._last[stream]
