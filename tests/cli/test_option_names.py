"""Arguments are said as options, each of which exists; paths stay."""

import pytest
from typer.testing import CliRunner

from voxscale.cli import app
from voxscale.cli._option_names import _NAMES, _PHRASES, as_options


@pytest.mark.parametrize(
    ("message", "said"),
    [
        ("stride_s is 0.0; raise it.", "--stride is 0.0; raise it."),
        ("lower context_s.", "lower --context."),
        ("leave out full_context, or", "leave out --full-context, or"),
        ("expected 1 <= min_context <= max_context.",
         "expected 1 <= --min-context <= --max-context."),
        ("1 at 16000 Hz; pass resample=True, or", "1 at 16000 Hz; give --resample, or"),
        ("or use dtype='bfloat16'.", "or use --dtype bfloat16."),
        ("spread the model with device='auto'.", "spread the model with --device auto."),
        ("; say normalize=True or False.", "; give --normalize or --no-normalize."),
        ("no tier 'tier'; pass tier= its name or number",
         "no tier 'tier'; give --tier its name"),
    ],
)  # fmt: skip
def test_arguments_are_said_as_options(message, said):
    assert as_options(message) == said


@pytest.mark.parametrize(
    "message",
    [
        "/data/context_s/hut.wav does not exist",
        "context_s/hut.wav does not exist",
        "stride_s.wav has no samples",
        "story 'batch_size' has no sound",
        "my-stride_s is a folder",
        "it is expected_tr_s= of a report",
        "they are normalized",
    ],
)
def test_names_and_paths_stay(message):
    assert as_options(message) == message


def test_more_phrases_come_first():
    also = {"stride_s and context_s": "--chunk and --context"}
    assert (
        as_options("(stride_s and context_s together)", also) == "(--chunk and --context together)"
    )


def test_every_option_that_is_said_exists():
    there = "".join(
        CliRunner().invoke(app, ["features", kind, "--help"]).output
        for kind in ("language", "speech")
    )
    said = " ".join([*_NAMES.values(), *_PHRASES.values()]).split()
    options = [one for one in said if one.startswith("--")]
    assert len(options) > len(_NAMES)
    assert all(f"{one} " in there or f"{one}\n" in there or f"{one}/" in there or f"/{one}" in there
               for one in options)  # fmt: skip
