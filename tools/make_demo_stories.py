"""Turn the demo stories into speech and word-aligned Praat TextGrids.

Each ``demo_stories/NAME.txt`` next to this script becomes ``NAME.ogg`` (mono, 16 kHz, Ogg/Opus) and
``NAME.TextGrid`` (one interval tier called "word"). The word times are those that the synthesizer
reports while it speaks, so no forced alignment is involved.

Requires the shared library of eSpeak NG (Debian and Ubuntu: ``apt-get install libespeak-ng1``;
the files in the package were made with version 1.51) besides NumPy, SciPy and soundfile >= 0.13.
The same inputs and library versions give the same bytes.
"""

from __future__ import annotations

import argparse
import bisect
import ctypes
import ctypes.util
import io
import itertools
import math
import multiprocessing
import re
import struct
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from scipy.signal import resample_poly

SOURCES = Path(__file__).resolve().parent / "demo_stories"
DEFAULT_OUT = Path(__file__).resolve().parents[1] / "src/voxscale/synthetic/stories"

VOICE = b"en-us"
RATE_SETTING = 125  # about 140 words per minute, pauses included
SAMPLE_RATE = 16000
PEAK = 0.9  # of full scale, which leaves room for the overshoot of the filters
LEAD_SECONDS = 2.0
TAIL_SECONDS = 4.0
OPUS_COMPRESSION_LEVEL = 0.94  # about 18 kbit/s

# Constants of espeak-ng's speak_lib.h.
_OUTPUT_SYNCHRONOUS = 2
_INIT_PHONEME_EVENTS, _INIT_DONT_EXIT = 0x0001, 0x8000
_PARAMETER_RATE = 1
_POSITION_CHARACTER = 1
_CHARS_UTF8 = 1
_EVENT_LIST_TERMINATED, _EVENT_WORD, _EVENT_END, _EVENT_PHONEME = 0, 1, 5, 7

_LABEL = re.compile(r"[a-z]+(?:['-][a-z]+)*")


class _EspeakId(ctypes.Union):
    _fields_ = [("number", ctypes.c_int), ("name", ctypes.c_char_p), ("string", ctypes.c_char * 8)]


class _EspeakEvent(ctypes.Structure):
    _fields_ = [
        ("type", ctypes.c_int),
        ("unique_identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("id", _EspeakId),
    ]


_Callback = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_EspeakEvent)
)


@dataclass(frozen=True)
class Word:
    """A written word: its label and the characters ``start`` to ``end`` of the text."""

    label: str
    start: int
    end: int


@dataclass(frozen=True)
class Event:
    """A synthesizer event; ``position`` counts characters from 0, ``seconds`` is speech time."""

    kind: int
    position: int
    length: int
    seconds: float
    phoneme: bytes


@dataclass(frozen=True)
class Span:
    """A stretch of speech from ``onset`` to ``offset`` seconds that begins at a text position."""

    position: int
    onset: float
    offset: float


def load_espeak() -> ctypes.CDLL:
    """Load the shared library of eSpeak NG."""
    library = ctypes.CDLL(ctypes.util.find_library("espeak-ng") or "libespeak-ng.so.1")
    library.espeak_Synth.argtypes = [
        *(ctypes.c_char_p, ctypes.c_size_t, ctypes.c_uint, ctypes.c_int),
        *(ctypes.c_uint, ctypes.c_uint, ctypes.c_void_p, ctypes.c_void_p),
    ]
    return library


def speak(text: str) -> tuple[np.ndarray, int, list[Event]]:
    """Synthesize ``text``; to be called once in a process.

    The library keeps state from one text to the next, which changes the speech a little, and it
    cannot be initialized twice.

    Parameters
    ----------
    text : str
        Plain ASCII text; blank lines separate paragraphs.

    Returns
    -------
    samples : np.ndarray of int16
    rate : int
        Samples per second.
    events : list of Event
        In temporal order.
    """
    chunks: list[np.ndarray] = []
    events: list[Event] = []

    def collect(wav: Any, count: int, event: Any) -> int:
        if wav and count:
            chunks.append(np.ctypeslib.as_array(wav, shape=(count,)).copy())
        index = 0
        while event[index].type != _EVENT_LIST_TERMINATED:
            events.append(_copy_event(event[index]))
            index += 1
        return 0

    callback = _Callback(collect)  # in a variable, to outlive the call below
    library = load_espeak()
    options = _INIT_PHONEME_EVENTS | _INIT_DONT_EXIT
    rate = library.espeak_Initialize(_OUTPUT_SYNCHRONOUS, 0, None, options)
    if rate <= 0:
        msg = "espeak-ng could not be initialized (is its data installed?)"
        raise RuntimeError(msg)
    library.espeak_SetSynthCallback(callback)
    data = text.encode("ascii") + b"\0"
    status = library.espeak_SetVoiceByName(VOICE)
    status |= library.espeak_SetParameter(_PARAMETER_RATE, RATE_SETTING, 0)
    status |= library.espeak_Synth(
        data, len(data), 0, _POSITION_CHARACTER, 0, _CHARS_UTF8, None, None
    )
    if status:
        msg = f"espeak-ng failed with status {status}"
        raise RuntimeError(msg)
    return np.concatenate(chunks), rate, events


def _copy_event(event: _EspeakEvent) -> Event:
    return Event(
        kind=event.type,
        position=event.text_position - 1,
        length=event.length,
        seconds=event.audio_position / 1000,
        phoneme=event.id.string if event.type == _EVENT_PHONEME else b"",
    )


def split_words(text: str) -> list[Word]:
    """List the words of ``text``, lower-cased and without surrounding punctuation."""
    words = []
    for match in re.finditer(r"\S+", text):
        label = re.sub(r"^[^a-z]+|[^a-z]+$", "", match.group().lower())
        if not _LABEL.fullmatch(label):
            msg = f"{match.group()!r} is not a plain word"
            raise ValueError(msg)
        words.append(Word(label, match.start(), match.end()))
    return words


def speech_spans(events: list[Event]) -> list[Span]:
    """Find the stretches of speech that word events begin.

    A span lasts until the next word event or the end of the clause, less the pause before it:
    the names of the phonemes that stand for pauses begin with an underscore. The synthesizer
    also reports word events of length zero for pauses at a clause's end; those begin no span.
    """
    spans = []
    current: Event | None = None
    pause: float | None = None
    for event in events:
        if event.kind == _EVENT_PHONEME:
            if not event.phoneme.startswith(b"_"):
                pause = None
            elif pause is None:
                pause = event.seconds
        elif event.kind in (_EVENT_WORD, _EVENT_END):
            if current is not None:
                end = event.seconds if pause is None else pause
                spans.append(Span(current.position, current.seconds, end))
            current = event if event.kind == _EVENT_WORD and event.length > 0 else None
            pause = None
    return spans


def group_spans(words: list[Word], spans: list[Span]) -> list[tuple[list[Word], list[Span]]]:
    """Match runs of words with the spans in which they are spoken, in the order of the text.

    Mostly one word has one span. The synthesizer speaks some phrases as a unit ("of the") and
    reports only the first word, or gives the later part a made-up position one character on ("a
    while"); so a span that begins where no word does continues the one before it.
    """
    indices: list[int] = []
    groups: list[list[Span]] = []
    starts = [word.start for word in words]
    for span in spans:
        index = bisect.bisect_right(starts, span.position) - 1
        if index < 0 or (indices and index < indices[-1]):
            msg = f"unexpected speech at character {span.position}"
            raise ValueError(msg)
        if indices and index == indices[-1]:
            groups[-1].append(span)
        else:
            indices.append(index)
            groups.append([span])
    if not indices or indices[0] != 0:
        msg = "the first word was not spoken"
        raise ValueError(msg)
    stops = [*indices[1:], len(words)]
    runs = [words[start:stop] for start, stop in zip(indices, stops, strict=True)]
    return list(zip(runs, groups, strict=True))


def divide(run: list[Word], spans: list[Span]) -> list[tuple[float, float]]:
    """Give each word of a run its onset and offset.

    With fewer spans than words, the last words have a span each and the others divide the first
    span in proportion to their letters. With more (parts of a hyphenated word), the last word has
    all those that remain.
    """
    last = min(len(run), len(spans)) - 1
    spans = [*spans[:last], replace(spans[last], offset=spans[-1].offset)]
    shared = len(run) - len(spans) + 1
    letters = [sum(map(str.isalpha, word.label)) for word in run[:shared]]
    first = spans[0]
    share = np.cumsum([0, *letters]) / sum(letters)
    edges = (first.onset + (first.offset - first.onset) * share).tolist()
    rest = [(span.onset, span.offset) for span in spans[1:]]
    return [*itertools.pairwise(edges), *rest]


def time_words(words: list[Word], spans: list[Span], text: str) -> list[tuple[float, float]]:
    """Give each word its onset and offset in seconds from the start of the speech."""
    times: list[tuple[float, float]] = []
    for run, run_spans in group_spans(words, spans):
        # Phrases spoken as a unit lie within a clause; anything else would be a mismatch.
        if re.search(r"\w[^\w\s'-]", text[run[0].start : run[-1].start]):
            msg = f"words merged across punctuation after {run[0].label!r}"
            raise ValueError(msg)
        times.extend(divide(run, run_spans))
    return times


def pad_and_resample(samples: np.ndarray, rate: int) -> np.ndarray:
    """Convert to ``SAMPLE_RATE`` and add silence, up to a duration in whole tenths of a second."""
    ratio = Fraction(SAMPLE_RATE, rate)
    speech = resample_poly(PEAK * samples / 32768, ratio.numerator, ratio.denominator)
    tenths = math.ceil(10 * (LEAD_SECONDS + len(speech) / SAMPLE_RATE + TAIL_SECONDS))
    lead = round(LEAD_SECONDS * SAMPLE_RATE)
    tail = tenths * SAMPLE_RATE // 10 - lead - len(speech)
    return np.pad(speech, (lead, tail))


def format_textgrid(labels: list[str], times: list[tuple[float, float]], duration: float) -> str:
    """Write the words and the silences between them as a Praat TextGrid (long text format)."""
    intervals: list[tuple[float, float, str]] = []
    cursor = 0.0
    for label, pair in zip(labels, times, strict=True):
        onset, offset = (round(seconds, 4) for seconds in pair)
        if not cursor <= onset < offset <= duration:
            msg = f"bad times of the word {label!r}: {onset} to {offset}"
            raise ValueError(msg)
        if onset > cursor:
            intervals.append((cursor, onset, ""))
        intervals.append((onset, offset, label))
        cursor = offset
    intervals.append((cursor, duration, ""))
    lines = ['File type = "ooTextFile"', 'Object class = "TextGrid"', ""]
    lines += ["xmin = 0", f"xmax = {duration:g}", "tiers? <exists>", "size = 1", "item []:"]
    lines += ["    item [1]:", '        class = "IntervalTier"', '        name = "word"']
    lines += ["        xmin = 0", f"        xmax = {duration:g}"]
    lines += [f"        intervals: size = {len(intervals)}"]
    for number, (xmin, xmax, label) in enumerate(intervals, start=1):
        lines += [f"        intervals [{number}]:", f"            xmin = {xmin:.8g}"]
        lines += [f"            xmax = {xmax:.8g}", f'            text = "{label}"']
    return "\n".join(lines) + "\n"


def encode_opus(audio: np.ndarray) -> bytes:
    """Encode ``audio`` as Ogg/Opus, the same bytes each time."""
    buffer = io.BytesIO()
    soundfile.write(
        buffer,
        audio,
        SAMPLE_RATE,
        format="OGG",
        subtype="OPUS",
        compression_level=OPUS_COMPRESSION_LEVEL,
    )
    return _set_ogg_serial(buffer.getvalue(), serial=1)


def _set_ogg_serial(data: bytes, serial: int) -> bytes:
    """Replace the random serial number in an Ogg file of one stream (RFC 3533, section 6)."""
    table = []
    for value in range(256):
        crc = value << 24
        for _ in range(8):
            crc = (crc << 1) ^ (0x04C11DB7 if crc & 0x80000000 else 0)
        table.append(crc & 0xFFFFFFFF)
    pages = []
    start = 0
    while start < len(data):
        segments = data[start + 26]
        header = 27 + segments
        stop = start + header + sum(data[start + 27 : start + header])
        page = bytearray(data[start:stop])
        page[14:18] = struct.pack("<I", serial)
        page[22:26] = bytes(4)
        crc = 0
        for byte in page:
            crc = (crc << 8 & 0xFFFFFFFF) ^ table[crc >> 24 ^ byte]
        page[22:26] = struct.pack("<I", crc)
        pages.append(bytes(page))
        start = stop
    return b"".join(pages)


def make_story(source: Path, out: Path) -> tuple[str, int, float, int]:
    """Make the files of one story; return its name, words, seconds and bytes (both files)."""
    paragraphs = source.read_text(encoding="ascii").split("\n\n")
    text = "\n\n".join(" ".join(paragraph.split()) for paragraph in paragraphs)
    words = split_words(text)
    samples, rate, events = speak(text)
    times = [
        (LEAD_SECONDS + onset, LEAD_SECONDS + offset)
        for onset, offset in time_words(words, speech_spans(events), text)
    ]
    audio = pad_and_resample(samples, rate)
    duration = len(audio) / SAMPLE_RATE
    grid = format_textgrid([word.label for word in words], times, duration).encode("ascii")
    sound = encode_opus(audio)
    (out / f"{source.stem}.TextGrid").write_bytes(grid)
    (out / f"{source.stem}.ogg").write_bytes(sound)
    return source.stem, len(words), duration, len(grid) + len(sound)


def main() -> None:
    """Make the files of all stories and print a table of them."""
    parser = argparse.ArgumentParser(description="Synthesize the demo stories.")
    parser.add_argument("--out", type=Path, default=DEFAULT_OUT, help="output folder")
    out = parser.parse_args().out
    out.mkdir(parents=True, exist_ok=True)
    tasks = [(source, out) for source in sorted(SOURCES.glob("*.txt"))]
    context = multiprocessing.get_context("spawn")
    with context.Pool(processes=1, maxtasksperchild=1) as pool:
        rows = pool.starmap(make_story, tasks, chunksize=1)
    print(f"{'story':<12}{'words':>6}{'seconds':>9}{'bytes':>10}")
    for name, count, seconds, size in rows:
        print(f"{name:<12}{count:>6}{seconds:>9.1f}{size:>10}")
    print(f"{'total':<27}{sum(row[-1] for row in rows):>10}")


if __name__ == "__main__":
    main()
