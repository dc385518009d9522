"""What every test shares: seeded numbers, read-only inputs, no network, a tiny data set."""

from __future__ import annotations

import importlib.util
import os
import socket
from pathlib import Path

import numpy as np
import pytest

os.environ["HF_HUB_OFFLINE"] = "1"  # read once, when the hub's client is imported
os.environ.setdefault("OMP_NUM_THREADS", "1")  # tiny matrices: threads cost more than they give

SHARED = Path(__file__).resolve().parents[2] / "shared"


@pytest.fixture
def rng():
    """Return a generator with a fixed seed."""
    return np.random.default_rng(20231209)


@pytest.fixture
def frozen():
    """Return a function that makes an array read-only, as inputs must be treated."""

    def freeze(array):
        array = np.array(array)
        array.flags.writeable = False
        return array

    return freeze


@pytest.fixture
def golden():
    """Return the folder of recorded outputs of the old code; skip where it is absent."""
    folder = SHARED / "reference" / "golden"
    if not folder.is_dir():
        pytest.skip("the recorded outputs of the old code are not beside this checkout")
    return folder


@pytest.fixture
def real_data():
    """Return the folder of real recordings; skip where it is absent."""
    folder = SHARED / "data"
    if not folder.is_dir():
        pytest.skip("the real recordings are not beside this checkout")
    return folder


@pytest.fixture(autouse=True)
def cache_of_its_own(tmp_path_factory, monkeypatch):
    """Keep what a test caches out of the user's cache."""
    monkeypatch.setenv("VOXSCALE_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))


@pytest.fixture(autouse=True)
def no_network(monkeypatch, request):
    """Fail at once when a test reaches for the network, its own server excepted if it says so."""
    if "network" in request.keywords:
        return

    own = "loopback" in request.keywords

    def refuse(self, address):
        if isinstance(address, tuple) and not (own and address[0] == "127.0.0.1"):
            message = f"a test tried to connect to {address}"
            raise RuntimeError(message)
        return connect(self, address)

    connect = socket.socket.connect
    monkeypatch.setattr(socket.socket, "connect", refuse)


@pytest.fixture(scope="module")
def tiny():
    """Register the tiny data set of tests/tiny.py; return its module, which also writes studies."""
    from voxscale import plugins

    path = Path(__file__).with_name("tiny.py")
    spec = importlib.util.spec_from_file_location("tiny", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(plugins._registered["datasets"], "tiny", module)
        yield module


@pytest.fixture(scope="session")
def tiny_pycortex():
    """Return tests/tiny_pycortex.py, which writes a miniature subject of pycortex."""
    pytest.importorskip("nibabel")
    path = Path(__file__).with_name("tiny_pycortex.py")
    spec = importlib.util.spec_from_file_location("tiny_pycortex", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def spoken(tiny, tmp_path_factory):
    """Register the tiny data set with sounds of tests/tiny_speech.py as "spoken".

    Returns its module; ``spoken.study(folder, table)`` writes a study of it, with its model.
    """
    from voxscale import plugins
    from voxscale.study import Study

    path = Path(__file__).with_name("tiny_speech.py")
    spec = importlib.util.spec_from_file_location("tiny_speech", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    home = tmp_path_factory.mktemp("spoken")
    module.model = module.save_model(home / "model")
    module.data = module.Spoken(tiny, home, module.model)
    text = tiny.BESIDE.replace('dataset = "tiny"', 'dataset = "spoken"')

    def study(folder, table=module.TABLE, **replaced):
        fields = {
            "alphas": "[30.0]",
            "contexts": "[32]",
            "training_stories": "[3]",
            "autocorrelation": "false",
            "n_bootstraps": "0",
            "position": "false",
            "n_permutations": "20",
        }
        table = table.replace('"./model"', f'"{module.model}"')
        return Study.from_toml(tiny.write_study(folder, text + table, **{**fields, **replaced}))

    module.study = study
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(plugins._registered["datasets"], "spoken", module.data)
        yield module


@pytest.fixture
def server(monkeypatch):
    """Run the server of tests/fetch_server.py on 127.0.0.1 while a test marked loopback runs."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    path = Path(__file__).with_name("fetch_server.py")
    spec = importlib.util.spec_from_file_location("fetch_server", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    with module.Server() as running:
        yield running
