"""Small films of known content, written with PyAV."""

import pathlib
import struct
from collections.abc import Sequence
from fractions import Fraction

import av
import numpy as np

_TIME_BASE = Fraction(1, 1000)  # where the images have times of their own


def write_film(
    path: pathlib.Path,
    images: Sequence[np.ndarray],
    fps: float = 10,
    sound_secs: float = 0.0,
    *,
    times: Sequence[float] = (),
    sound_start: float = 0.0,
    sound_gap: tuple[float, float] = (0.0, 0.0),
    codec: str = "libx264",
    sound_codec: str = "aac",
    layout: str = "mono",
    rate: int = 48000,
    aspect: Fraction | None = None,
    keyframe_every: int = 5,
) -> None:
    """Writes uint8 RGB [height, width, 3] images, and a tone of 440 Hz; the suffix is the container.

    Args:
      times: Of the images, in seconds; at `fps` where there are none.
      rate: Samples of sound a second.
      sound_start: When the tone begins.
      sound_gap: From when to when there is no sound at all, not even silence.
      aspect: Width of a pixel over its height.
    """
    with av.open(str(path), "w") as container:
        height, width = images[0].shape[:2]
        video = container.add_stream(codec, Fraction(fps).limit_denominator(1001))
        video.width, video.height = width + width % 2, height + height % 2
        video.pix_fmt = "yuv420p" if codec != "mjpeg" else "yuvj420p"
        time_base = _TIME_BASE if times else 1 / Fraction(fps).limit_denominator(1001)
        video.codec_context.time_base = time_base
        video.codec_context.gop_size = keyframe_every
        if aspect is not None:
            video.codec_context.sample_aspect_ratio = aspect
        audio = None
        if sound_secs:
            audio = container.add_stream(sound_codec, rate, layout=layout)
        packets = []
        for index, image in enumerate(images):
            padded = np.pad(image, [(0, height % 2), (0, width % 2), (0, 0)], mode="edge")
            frame = av.VideoFrame.from_ndarray(padded, format="rgb24")
            frame.pts = round(times[index] / _TIME_BASE) if times else index
            frame.time_base = time_base
            packets += video.encode(frame)
        packets += video.encode(None)
        for samples, start in _tone(sound_secs, sound_gap, layout, rate) if audio else ():
            sound = av.AudioFrame.from_ndarray(samples, format="flt", layout=layout)
            sound.sample_rate, sound.time_base = rate, Fraction(1, rate)
            sound.pts = start + round(sound_start * rate)
            packets += audio.encode(sound)
        packets += audio.encode(None) if audio else []
        for packet in sorted(packets, key=lambda p: (p.dts or 0) * p.time_base):
            container.mux(packet)


def _tone(seconds, gap, layout, rate):
    channels = av.AudioLayout(layout).nb_channels
    step = 1024
    for start in range(0, round(seconds * rate), step):
        if gap[0] <= start / rate < gap[1]:
            continue
        tone = 0.3 * np.sin(np.arange(start, start + step) * (2 * np.pi * 440 / rate))
        yield np.repeat(tone.astype(np.float32), channels)[None], start


def turn_film(path: pathlib.Path, matrix: Sequence[int]) -> None:
    """Writes a, b, c, d of the display matrix into an MP4's first track, as phones do."""
    data = bytearray(path.read_bytes())
    place = data.index(b"tkhd") + 4 + 40  # ISO/IEC 14496-12, 8.3.2, version 0
    a, b, c, d = (value * 65536 for value in matrix)
    struct.pack_into(">9i", data, place, a, b, 0, c, d, 0, 0, 0, 1 << 30)
    path.write_bytes(data)


def damage(path: pathlib.Path, begin: float, end: float) -> None:
    """Overwrites a part of a film's coded data, in shares of it, with noise."""
    data = bytearray(path.read_bytes())
    start = data.find(b"mdat") + 8 if b"mdat" in data else 0
    size = (data.find(b"moov") if data.find(b"moov") > start else len(data)) - start
    first, last = start + int(begin * size), start + int(end * size)
    data[first:last] = np.random.default_rng(0).bytes(last - first)
    path.write_bytes(data)


def frames_of(path: pathlib.Path) -> tuple[list[np.ndarray], list[float]]:
    """The frames of a film as uint8 RGB, and their times."""
    with av.open(str(path)) as container:
        frames = list(container.decode(video=0))
        return [f.to_ndarray(format="rgb24") for f in frames], [f.time for f in frames]


def loudness_of(path: pathlib.Path, step_secs: float = 0.1) -> np.ndarray:
    """The root mean square of each step of a film's sound, as a player lays it on the time line."""
    with av.open(str(path)) as container:
        samples = np.zeros(0)
        rate = container.streams.audio[0].codec_context.sample_rate
        # One channel: PyAV 17 reads past the end of a frame of eight planes.
        mono = av.AudioResampler("flt", "mono", rate)
        for frame in (out for one in container.decode(audio=0) for out in mono.resample(one)):
            values = frame.to_ndarray()[0]
            start = round(frame.time * rate)
            samples = np.pad(samples, (0, max(0, start + len(values) - len(samples))))
            samples[start : start + len(values)] = values[: len(samples) - start]
    step = round(step_secs * rate)
    whole = samples[: len(samples) // step * step].reshape(-1, step)
    return np.sqrt((whole**2).mean(axis=1))


def facts_of(path: pathlib.Path) -> dict[str, object]:
    """Codec names, and the end of the pictures and of the sound in seconds."""
    facts: dict[str, object] = {}
    with av.open(str(path)) as container:
        for stream in container.streams:
            facts[stream.type] = stream.codec_context.name
            ends = [
                float((packet.pts + packet.duration) * packet.time_base)
                for packet in container.demux(stream)
                if packet.pts is not None
            ]
            facts[f"{stream.type}_end"] = max(ends, default=0.0)
            container.seek(0)
    return facts
