"""A data set from a Python file: found, run once, and its mistakes told with their line."""

import pickle
import sys
from pathlib import Path

import pytest

import voxscale as vs
from voxscale.data import _dataset_file as files
from voxscale.data import dataset_name, find_dataset, is_dataset_file
from voxscale.errors import DataError

WHOLE = """
import numpy as np
import voxscale as vs
from {helper} import WORD

SUBJECTS = ["01", "02"]

class Kept:
    pass

def load(subject, root=None):
    runs = {{name: vs.TRSeries(np.ones((4, 5)), name) for name in ("a", "b")}}
    words = {{name: vs.Transcript([WORD], [0.5]) for name in runs}}
    return vs.Dataset("mine", subject, words, runs, {{}}, train=("a",), test=("b",), tr_s=2.0,
                      licence=str(root), truth={{"kept": Kept()}})
"""


@pytest.fixture(autouse=True)
def nothing_loaded(monkeypatch):
    """Let each test run its files, and leave nothing of them behind."""
    monkeypatch.setattr(files, "_loaded", {})
    before = dict(sys.modules)
    yield
    for name in sys.modules.keys() - before.keys():
        del sys.modules[name]


@pytest.fixture
def write(tmp_path):
    """Return a function that writes a data set and its helper into a folder of their own."""

    def write_them(folder="one", word="hi", helper="_words", text=WHOLE):
        home = tmp_path / folder
        home.mkdir()
        (home / f"{helper}.py").write_text(f"WORD = {word!r}\n")
        (home / "mystories.py").write_text(text.format(helper=helper))
        return home / "mystories.py"

    return write_them


def test_a_file_is_told_by_its_ending():
    assert is_dataset_file("mystories.py")
    assert is_dataset_file(Path("x") / "mystories.py")
    assert not is_dataset_file("demo")
    assert dataset_name("a/b/mystories.py") == "mystories"
    assert dataset_name("demo") == "demo"


def test_a_subject_is_loaded_from_a_file(write, tmp_path, monkeypatch):
    path = write()
    data = vs.load(path, subject="02", root=tmp_path)
    assert (data.subject, data.words["a"].words[0]) == ("02", "hi")
    assert data.licence == str(tmp_path)
    assert vs.load(str(path)).subject == "01"
    monkeypatch.chdir(tmp_path)
    assert vs.load("one/mystories.py").subject == "01"
    with pytest.raises(DataError, match=r"dataset 'mystories' has no subject '3'; choose .*01, 02"):
        vs.load(path, subject="3")


def test_a_file_is_run_once_whatever_it_is_called_by(write, tmp_path, monkeypatch):
    note = f"with open({str(tmp_path / 'runs')!r}, 'a') as file:\n    file.write('.')\n"
    path = write(text=WHOLE + note)
    monkeypatch.chdir(tmp_path)
    for one in (path, str(path), "one/mystories.py", "one/../one/mystories.py"):
        vs.load(one)
    assert (tmp_path / "runs").read_text() == "."
    assert find_dataset(path) is find_dataset("one/mystories.py")


def test_nothing_is_left_changed(write):
    path, modules = list(sys.path), set(sys.modules)
    vs.load(write())
    assert sys.path == path
    (new,) = {one for one in set(sys.modules) - modules if "mystories" in one or "_words" in one}
    assert new.startswith("_voxscale_dataset_")
    assert "mystories" not in sys.modules


def test_each_folder_has_its_own_helpers(write, monkeypatch):
    first, second = write("one", "hi"), write("two", "ho")
    assert vs.load(first).words["a"].words[0] == "hi"
    assert vs.load(second).words["a"].words[0] == "ho"
    assert vs.load(first).words["a"].words[0] == "hi"


def test_a_module_of_the_same_name_from_elsewhere_is_left_alone(write, tmp_path, monkeypatch):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "_words.py").write_text("WORD = 'not this one'\n")
    monkeypatch.syspath_prepend(elsewhere)
    import _words

    assert vs.load(write()).words["a"].words[0] == "hi"
    assert sys.modules["_words"] is _words
    assert _words.WORD == "not this one"


def test_helpers_may_be_imported_by_load_itself(write):
    text = WHOLE.replace("from {helper} import WORD\n", "").replace(
        "    runs =", "    from {helper} import WORD\n    runs ="
    )
    path = write(text=text)
    assert vs.load(path).words["a"].words[0] == "hi"
    assert vs.load(path).words["a"].words[0] == "hi"
    assert "_words" not in sys.modules


def test_a_folder_that_is_on_the_path_already_is_left_as_it_is(write, monkeypatch):
    path = write()
    monkeypatch.syspath_prepend(path.parent)
    vs.load(path)
    assert sys.modules["_words"].WORD == "hi"


def test_what_a_file_defines_can_be_pickled(write):
    kept = vs.load(write()).truth["kept"]
    assert type(pickle.loads(pickle.dumps(kept))) is type(kept)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("import no_such_module\n", r"line 1: ModuleNotFoundError: No module named 'no_such_mod"),
        ("x = 1\ny = x / 0\n", "line 2: ZeroDivisionError: division by zero"),
        ("x = (1\n", r"line 1: SyntaxError: '\(' was never closed"),
        ("import sys\nsys.exit()\n", r"line 2: SystemExit; mend it"),
        ("import _broken\n", r"_broken.py, line 3: KeyError: 'gone'"),
        ("import json\njson.loads('')\n", "line 2: JSONDecodeError: Expecting value"),
    ],
)
def test_a_file_that_cannot_be_run_is_told_with_its_line(tmp_path, text, message):
    (tmp_path / "_broken.py").write_text("\n\n{}['gone']\n")
    path = tmp_path / "mystories.py"
    path.write_text(text)
    before = dict(sys.modules), list(sys.path)
    with pytest.raises(DataError, match=rf"mystories.py: it failed at {message}") as caught:
        vs.load(path)
    assert caught.value.__cause__ is not None
    assert (dict(sys.modules), list(sys.path)) == before
    path.write_text(WHOLE.replace("from {helper} import WORD", "WORD = 'hi'").format())
    assert vs.load(path).subject == "01"  # a file that was mended is run


def test_a_mistake_while_loading_is_told_with_its_line(tmp_path):
    path = tmp_path / "mystories.py"
    path.write_text("SUBJECTS = ('01',)\n\ndef load(subject, root):\n    return {}[subject]\n")
    with pytest.raises(DataError, match=r"load\('01', …\) failed at line 4: KeyError: '01'; mend"):
        vs.load(path)
    path.write_text("SUBJECTS = ('01',)\ndef load(subject, root):\n    return {}\n")
    files._loaded.clear()
    with pytest.raises(DataError, match="'mystories' gave a dict; expected a Dataset"):
        vs.load(path)


def test_errors_of_ours_are_passed_on_as_they_are(tmp_path):
    path = tmp_path / "mystories.py"
    path.write_text(
        "import voxscale as vs\nSUBJECTS = ('01',)\n"
        "def load(subject, root):\n    return vs.read_transcript('/nowhere/fox.TextGrid')\n"
    )
    with pytest.raises(DataError, match=r"^/nowhere/fox\.TextGrid"):
        vs.load(path)


@pytest.mark.parametrize(
    ("text", "lacking"),
    [
        ("def load(subject, root): ...", "SUBJECTS, a tuple of one or more names;"),
        ("SUBJECTS = ('01',)", r"load\(subject, root\);"),
        ("SUBJECTS = '01'\ndef load(subject, root): ...", "SUBJECTS, a tuple"),
        ("SUBJECTS = ()\nload = 3", r"SUBJECTS, a tuple .* and load\(subject, root\);"),
        ("SUBJECTS = (1, 2)\ndef load(subject, root): ...", "SUBJECTS, a tuple"),
    ],
)
def test_a_file_without_a_data_set_is_told(tmp_path, text, lacking):
    path = tmp_path / "mystories.py"
    path.write_text(text)
    with pytest.raises(DataError, match=rf"mystories.py is no data set: it lacks {lacking}"):
        vs.load(path)


def test_a_file_that_is_not_there_is_told(write, tmp_path):
    path = write()
    message = r"mystory.py does not exist; expected the Python .*did you mean 'mystories.py'\?"
    with pytest.raises(DataError, match=message):
        vs.load(path.with_name("mystory.py"))
    with pytest.raises(DataError, match=r"nowhere/mystories.py does not exist; expected the Py"):
        vs.load(tmp_path / "nowhere" / "mystories.py")
    (tmp_path / "folder.py").mkdir()
    with pytest.raises(DataError, match=r"folder.py is a folder; expected the Python file"):
        vs.load(tmp_path / "folder.py")
    (tmp_path / "link.py").symlink_to("gone.py")
    with pytest.raises(DataError, match=r"link.py is a link that leads nowhere; expected"):
        vs.load(tmp_path / "link.py")
