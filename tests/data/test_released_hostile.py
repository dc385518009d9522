"""Pickles that try to run, crash or exhaust: none is run, each is a DataError."""

import base64
import importlib.util
import json
import pickle
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from voxscale.data import inspect_released, read_released, stream_released
from voxscale.errors import DataError

CORPUS = Path(__file__).parent / "hostile" / "corpus.json"

# Reads the whole corpus, and prints what was no DataError, and what the interpreter did meanwhile.
WATCHED = """
    import base64, codecs, json, sys
    import numpy as np, pandas as pd, pyarrow
    from voxscale.data import inspect_released, read_released, stream_released
    from voxscale.errors import DataError

    def streamed(path, **options):
        return [list(one.blocks()) for one in stream_released(path, **options)]

    corpus = json.load(open(sys.argv[1]))
    pd.DataFrame({"a": ["x"], "b": [1.0]}).to_pickle("fine.pkl")
    for read in (read_released, inspect_released, streamed):
        read("fine.pkl")  # what is imported late is imported now
    codecs.lookup("raw-unicode-escape")
    seen, watching = [], False
    harmless = {"object.__getattr__", "marshal.loads", "builtins.id", "mmap.__new__"}

    def hook(event, args):
        if watching and event not in harmless:
            is_ours = event == "open" and str(args[0]) == "hostile.jbl" and "w" not in str(args[1])
            if event == "open" and str(args[0]).startswith(("/proc/", "/sys/fs/cgroup/")):
                is_ours = True  # how much memory is free
            if not is_ours:
                seen.append((event, str(args)[:200]))

    sys.addaudithook(hook)
    odd = []
    for name, body in corpus.items():
        with open("hostile.jbl", "wb") as file:
            file.write(base64.b64decode(body))
        for read in (read_released, inspect_released, streamed):
            watching = True
            try:
                read("hostile.jbl", max_gib=1 / 32)
                if read is read_released:
                    odd.append((name, "was read"))
            except DataError as error:
                if str(error).count(";") < 2 or "hostile.jbl" not in str(error):
                    odd.append((name, str(error)))
            except BaseException as error:
                odd.append((name, repr(error)[:200]))
            finally:
                watching = False
    print(json.dumps({"odd": odd, "seen": seen, "n": len(corpus)}))
"""


def test_the_corpus_is_large_and_each_is_another():
    corpus = json.loads(CORPUS.read_text())
    assert len(corpus) >= 400
    assert len(set(corpus.values())) == len(corpus)


def test_the_corpus_is_what_its_script_writes():
    place = CORPUS.with_name("write.py")
    spec = importlib.util.spec_from_file_location("hostile_corpus", place)
    write = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(write)
    corpus = json.loads(CORPUS.read_text())
    parts = [write.misused(), write.of_joblib(), write.of_pandas(), write.malformed()]
    parts.append(write.amplified())
    for name, body in {name: body for part in parts for name, body in part.items()}.items():
        assert base64.b64decode(corpus[name]) == body


def test_none_of_the_corpus_is_run_and_each_is_refused(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(WATCHED), str(CORPUS)],
        cwd=tmp_path, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    told = json.loads(done.stdout)
    assert told["odd"] == []
    assert told["seen"] == []
    assert told["n"] == len(json.loads(CORPUS.read_text()))
    assert sorted(one.name for one in tmp_path.iterdir()) == ["fine.pkl", "hostile.jbl"]


def test_the_watch_sees_what_pickle_would_run(tmp_path):
    """The canary sings: the same hook records what pickle itself does with one of them."""
    corpus = json.loads(CORPUS.read_text())
    body = next(one for name, one in corpus.items() if name.endswith(": posix.system"))
    code = f"""
        import base64, pickle, sys
        seen = []
        sys.addaudithook(lambda event, args: seen.append(event))
        pickle.loads(base64.b64decode({body!r}))
        print("os.system" in seen)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.stdout == "True\n"
    assert (tmp_path / "hostile-canary").exists()


def test_what_is_refused_is_named(tmp_path):
    path = tmp_path / "evil.jbl"
    path.write_bytes(b"cos\nsystem\n(S'echo'\ntR.")
    with pytest.raises(DataError, match=r"byte 11: the file names 'os\.system', which was not run"):
        read_released(path)


def outcome(path, body):
    """Read what may be damaged in three ways; anything but a value or a DataError is raised."""
    path.write_bytes(body)
    for read in (read_released, inspect_released):
        try:
            read(path, max_gib=1 / 64)
        except DataError as error:
            if str(path) not in str(error):
                raise AssertionError(str(error)) from error
    try:
        for array in stream_released(path, max_gib=1 / 64):
            list(array.blocks())
    except DataError:
        pass


@pytest.fixture(scope="module")
def real_files(tmp_path_factory):
    import joblib
    import pandas as pd

    folder = tmp_path_factory.mktemp("real")
    value = {
        "a": np.arange(6.0).reshape(2, 3), "w": ["x", "y"], "o": np.array(["x", None], object),
        "t": pd.DataFrame({"a": [1.0, 2], "b": ["x", "y"]}), "s": {1, 2}, "n": np.float32(2),
    }  # fmt: skip
    bodies = [pickle.dumps(value, protocol) for protocol in range(6)]
    for kind in (0, ("zlib", 1), ("gzip", 1), ("bz2", 1), ("xz", 1), ("lzma", 1)):
        joblib.dump(value, folder / "x.jbl", compress=kind)
        bodies.append((folder / "x.jbl").read_bytes())
    corpus = json.loads(CORPUS.read_text())
    bodies += [base64.b64decode(body) for name, body in corpus.items() if "bomb" not in name][::9]
    return bodies


fuzzing = settings(
    max_examples=300, deadline=None, derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)  # fmt: skip


@fuzzing
@given(data=st.data())
def test_a_damaged_file_is_a_value_or_a_data_error(tmp_path, real_files, data):
    body = bytearray(data.draw(st.sampled_from(real_files)))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, max(0, len(body) - 1)))
        change = data.draw(st.sampled_from(["flip", "cut", "insert", "repeat", "remove"]))
        if change == "flip" and body:
            body[at] = data.draw(st.integers(0, 255))
        elif change == "cut":
            del body[at:]
        elif change == "insert":
            body[at:at] = data.draw(st.binary(min_size=1, max_size=9))
        elif change == "repeat":
            body[at:at] = body[at : at + data.draw(st.integers(1, 50))]
        else:
            del body[at : at + data.draw(st.integers(1, 9))]
    outcome(tmp_path / "damaged.jbl", bytes(body))


STEPS = [bytes([code]) for code in (*b"(.012NRbaesutldo])}Q", *range(0x81, 0x99), *b"hqKMJUXCicIS")]
PARTS = [
    b"cnumpy\nndarray\n", b"cnumpy\ndtype\n", b"cnumpy._core.multiarray\n_reconstruct\n",
    b"cjoblib.numpy_pickle\nNumpyArrayWrapper\n", b"c_codecs\nencode\n", b"ca\nTextGrid\n",
    b"cpandas\nDataFrame\n", b"cpandas.core.indexes.base\n_new_Index\n", b"cpandas\nRangeIndex\n",
    b"cbuiltins\nset\n", b"cbuiltins\nslice\n", b"ccollections\nOrderedDict\n", b"q\x00", b"h\x00",
    b"K\x03", b"X\x02\x00\x00\x00f8", b"X\x05\x00\x00\x00shape", b"C\x08abcdefgh", b"cos\nsystem\n",
]  # fmt: skip


@fuzzing
@given(parts=st.lists(st.sampled_from(STEPS + PARTS) | st.binary(max_size=3), max_size=30))
def test_steps_at_random_are_a_value_or_a_data_error(tmp_path, parts):
    outcome(tmp_path / "random.jbl", b"".join(parts) + b".")
