"""Speech states against recorded outputs of the published scripts."""

import json

import numpy as np
import pytest
import soundfile

from voxscale.features import SpeechExtractor, SpeechWindows

CASES = [
    "hubert__default__featext",
    "hubert__default__raw",
    "hubert__batch4__featext",
    "hubert__fullctx__featext",
    "hubert__short_audio_overrun__featext",
    "hubert__exact__featext",
    "hubert__tiny_chunk_minlen__featext",
    "hubert__uneven_ctx__featext",
    "hubert__sel_layers__featext",
    "hubert__sel_layers__raw",
    "hubert_stable__default__featext",
    "hubert_stable__default__raw",
    "hubert_stable__batch4__featext",
    "hubert_stable__short_audio_overrun__featext",
    "wavlm__default__featext",
    "wavlm__default__raw",
    "wavlm__batch4__featext",
    "wavlm__short_audio_overrun__featext",
    "whisper__default__featext",
    "whisper__batch4__featext",
    "whisper__fullctx__featext",
    "whisper__short_audio_overrun__featext",
    "whisper__exact__featext",
    "whisper__tiny_chunk_minlen__featext",
    "whisper__uneven_ctx__featext",
    "whisper__sel_layers__featext",
]


@pytest.mark.parametrize("case", CASES)
def test_every_layer_of_every_model_is_that_of_the_published_loop(golden, case):
    folder = golden / "speech"
    known = json.loads((folder / "function_index.json").read_text())["cases"]
    assert set(known) == set(CASES)
    facts = known[case]
    options = facts["kwargs"]
    sound, hz = soundfile.read(folder / "wav" / f"{facts['wav']}.wav", dtype="float32")
    is_whisper = facts["model"] == "whisper"
    extractor = SpeechExtractor(
        folder / "models" / facts["model"],
        SpeechWindows(
            options["chunksz_sec"],
            options["contextsz_sec"],
            full_context=options.get("require_full_context", False),
        ),
        device="cpu",
        normalize=None if facts["use_featext"] or is_whisper else False,
    )
    layers = [int(name.rpartition(".")[2]) for name in facts["layers"]]
    clip = extractor.read((sound, hz))
    found = {layer: [] for layer in layers}
    for read in extractor.stream(clip, layers):
        for layer, rows in read.states.items():
            found[layer].append(rows)
    recorded = np.load(folder / "function_outputs.npz")
    normed = np.load(folder / "function_outputs_where_transformers446_differs.npz")
    times = recorded[f"{case}/times"]
    is_real = times[:, 1] <= len(sound) / hz + 1e-6  # of short clips it made up rows past the end
    assert is_real.sum() == len(clip.plan)
    np.testing.assert_allclose(clip.times, times[is_real, 1], atol=1e-6)
    np.testing.assert_allclose(clip.plan.start_times, times[is_real, 0], atol=1e-6)
    for layer, name in zip(layers, facts["layers"], strict=True):
        # The last layer is after the last norm, as transformers 4.46 had it.
        source = normed if f"{case}/{name}" in normed else recorded
        expected = source[f"{case}/{name}"][is_real]
        np.testing.assert_allclose(np.concatenate(found[layer]), expected, rtol=0, atol=2e-5)
    last = extractor.load().n_layers - 1
    if last in layers:
        final = recorded[f"{case}/final_outputs"][is_real]
        np.testing.assert_allclose(np.concatenate(found[last]), final, rtol=0, atol=2e-5)


def test_the_position_of_whisper_is_that_of_the_published_loop(golden):
    rows = json.loads((golden / "speech" / "whisper_frame_index.json").read_text())
    front = SpeechExtractor(golden / "speech" / "models" / "whisper", device="cpu").load().front
    for row in rows:
        assert front.position(row["n_samples"]) == row["index"]
