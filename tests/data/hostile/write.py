"""Write corpus.json: pickles that try to run, crash or exhaust whoever reads them.

Run it to write the file again: ``python tests/data/hostile/write.py``. The same bytes come out.
"""
# ruff: noqa: E501

from __future__ import annotations

import base64
import bz2
import gzip
import json
import lzma
import pickle
import struct
import zlib
from pathlib import Path

HERE = Path(__file__).parent
MOST_GIB = 1 / 32  # what the bombs are read with
BOMB = 48 * 2**20

TOUCH = "echo hostile > hostile-canary"
CODE = "open('hostile-canary', 'w').write('hostile')"
# module, name, arguments
CALLS = [
    *((module, "system", (TOUCH,)) for module in ("os", "posix", "nt", "subprocess.os", "shutil.os")),
    *(("os", name, (TOUCH,)) for name in (
        "popen", "execl", "execv", "execvp", "spawnl", "spawnv", "posix_spawn", "startfile",
        "remove", "unlink", "rmdir", "mkdir", "makedirs", "putenv", "abort", "fork", "_exit",
        "kill", "open", "rename", "symlink", "chmod", "listdir", "environ.clear",
    )),
    *(("subprocess", name, (TOUCH,)) for name in (
        "Popen", "call", "run", "check_call", "check_output", "getoutput", "getstatusoutput",
    )),
    *((module, name, (CODE,)) for module in ("builtins", "__builtin__") for name in (
        "eval", "exec", "compile", "__import__", "open", "getattr", "setattr", "globals", "vars",
        "input", "breakpoint", "apply", "map", "filter", "type", "exit", "memoryview", "classmethod",
        "super", "staticmethod", "print", "iter", "reversed", "enumerate", "help", "execfile",
    )),
    *(("functools", name, (CODE,)) for name in ("partial", "reduce", "partialmethod", "wraps")),
    *(("operator", name, ("system",)) for name in ("attrgetter", "methodcaller", "itemgetter", "call")),
    *((module, name, ("hostile-canary",)) for module, name in (
        ("importlib", "import_module"), ("importlib", "reload"), ("runpy", "run_path"),
        ("runpy", "run_module"), ("runpy", "_run_code"), ("code", "interact"), ("pdb", "run"),
        ("pdb", "Pdb"), ("timeit", "timeit"), ("timeit", "main"), ("cProfile", "run"),
        ("profile", "run"), ("trace", "Trace"), ("bdb", "Bdb"), ("doctest", "debug_script"),
        ("pty", "spawn"), ("platform", "popen"), ("commands", "getoutput"), ("ctypes", "CDLL"),
        ("ctypes", "PyDLL"), ("ctypes.util", "find_library"), ("_ctypes", "dlopen"),
        ("socket", "create_connection"), ("socket", "socket"), ("webbrowser", "open"),
        ("urllib.request", "urlopen"), ("urllib.request", "urlretrieve"), ("smtplib", "SMTP"),
        ("http.client", "HTTPConnection"), ("ftplib", "FTP"), ("shutil", "rmtree"),
        ("shutil", "move"), ("shutil", "copyfile"), ("tempfile", "mktemp"), ("pathlib", "Path"),
        ("pathlib", "PosixPath"), ("io", "open"), ("io", "FileIO"), ("_io", "FileIO"),
        ("codecs", "open"), ("tarfile", "open"), ("zipfile", "ZipFile"), ("logging", "FileHandler"),
        ("logging.config", "listen"), ("sqlite3", "connect"), ("dbm", "open"), ("shelve", "open"),
        ("pickle", "loads"), ("pickle", "load"), ("_pickle", "loads"), ("marshal", "loads"),
        ("dill", "loads"), ("cloudpickle", "loads"), ("cloudpickle.cloudpickle", "_make_function"),
        ("types", "CodeType"), ("types", "FunctionType"), ("new", "function"), ("sys", "exit"),
        ("sys", "setrecursionlimit"), ("sys", "modules.clear"), ("gc", "get_objects"),
        ("threading", "Thread"), ("multiprocessing", "Process"), ("asyncio", "run"),
        ("concurrent.futures", "ProcessPoolExecutor"), ("signal", "alarm"), ("atexit", "register"),
        ("weakref", "finalize"), ("inspect", "getattr_static"), ("ast", "literal_eval"),
        ("_posixsubprocess", "fork_exec"), ("nturl2path", "url2pathname"), ("pip", "main"),
        ("pip._internal", "main"), ("site", "main"), ("venv", "create"), ("idlelib.pyshell", "main"),
        ("lib2to3.pgen2.pgen", "generate_grammar"), ("distutils.file_util", "write_file"),
        ("setuptools", "setup"), ("torch", "load"), ("torch.hub", "load"), ("torch", "jit.load"),
        ("torch.storage", "_load_from_bytes"), ("torch._utils", "_rebuild_tensor_v2"),
        ("torch.utils.cpp_extension", "load_inline"), ("joblib", "load"), ("joblib.memory", "Memory"),
        ("joblib.numpy_pickle", "load"), ("joblib.numpy_pickle", "_unpickle"),
        ("joblib.externals.loky", "get_reusable_executor"), ("sklearn.externals.joblib", "load"),
        ("sklearn.svm", "SVC"), ("sklearn.pipeline", "Pipeline"), ("scipy.io", "loadmat"),
        ("numpy", "load"), ("numpy", "save"), ("numpy", "memmap.__new__"), ("numpy", "fromfile"),
        ("numpy", "vectorize"), ("numpy", "frompyfunc"), ("numpy", "fromregex"), ("numpy", "lookfor"),
        ("numpy", "genfromtxt"), ("numpy", "DataSource"), ("numpy.f2py", "compile"),
        ("numpy.f2py.crackfortran", "getlincoef"), ("numpy.f2py.diagnose", "run_command"),
        ("numpy.testing", "runstring"), ("numpy.testing._private.utils", "runstring"),
        ("numpy.testing", "rundocs"), ("numpy.distutils.exec_command", "exec_command"),
        ("numpy.core.multiarray", "fromfile"), ("numpy._core.multiarray", "array.__class__"),
        ("numpy.lib.npyio", "NpzFile"), ("numpy.lib.format", "read_array"), ("numpy", "ndarray.tofile"),
        ("numpy.random._pickle", "__generator_ctor"), ("numpy", "char.chararray"),
        ("numpy.ma.core", "_mareconstruct"), ("numpy.ctypeslib", "load_library"),
        ("pandas", "eval"), ("pandas", "read_pickle"), ("pandas", "read_csv"), ("pandas", "read_html"),
        ("pandas", "DataFrame.eval"), ("pandas", "DataFrame.to_csv"), ("pandas.io.common", "get_handle"),
        ("pandas.core.computation.eval", "eval"), ("pandas.compat.pickle_compat", "load"),
        ("pyarrow", "run_end_encode"), ("pyarrow.lib", "OSFile"), ("pyarrow.lib", "memory_map"),
        ("matplotlib.pyplot", "savefig"), ("ridge_utils.textgrid", "TextGrid.__init__"),
        ("ridge_utils.DataSequence", "DataSequence.from_grid"), ("voxscale", "run"),
        ("voxscale.data._dataset_file", "find_dataset"), ("__main__", "main"), ("__main__", "__dict__"),
        ("copyreg", "__newobj__"), ("copyreg", "add_extension"), ("copy_reg", "_extension_registry"),
        ("collections", "namedtuple"), ("collections", "ChainMap"), ("enum", "Enum"),
        ("string", "Formatter"), ("string", "Template"), ("decimal", "Decimal"), ("fractions", "Fraction"),
        ("datetime", "datetime"), ("uuid", "UUID"), ("re", "compile"), ("random", "Random"), ("", ""),
        ("os\0", "system"), ("os ", "system"), ("ＯＳ", "system"), (".os", "system"), ("os", "System"),
    )),
]  # fmt: skip


def text(value: str) -> bytes:
    raw = value.encode("utf-8")
    return b"X" + struct.pack("<I", len(raw)) + raw


def number(value: int) -> bytes:
    raw = value.to_bytes(9, "little", signed=True) if abs(value) < 2**70 else b""
    return b"\x8a" + bytes([len(raw)]) + raw


def data(raw: bytes) -> bytes:
    return b"B" + struct.pack("<I", len(raw)) + raw


def word(module: str, name: str) -> bytes:
    """Name a class or function, the names from the stack."""
    return text(module) + text(name) + b"\x93"


def pair(*items: bytes) -> bytes:
    return b"(" + b"".join(items) + b"t"


def table(**items: bytes) -> bytes:
    return b"}(" + b"".join(text(key) + value for key, value in items.items()) + b"u"


def call(module: str, name: str, *args: bytes) -> bytes:
    return word(module, name) + pair(*args) + b"R"


def begun(module: str, name: str, state: bytes) -> bytes:
    return word(module, name) + b")\x81" + state + b"b"


def done(body: bytes) -> bytes:
    return b"\x80\x05" + body + b"."


ARRAY = word("numpy", "ndarray")


def dtype(code: str = "f8", order: str = "<") -> bytes:
    state = pair(number(3), text(order), b"N", b"N", b"N", b"J\xff\xff\xff\xff" * 2, b"K\x00")
    return call("numpy", "dtype", text(code), b"\x89", b"\x88") + state + b"b"


def array(shape: bytes, kind: bytes, raw: bytes, is_f: bytes = b"\x89") -> bytes:
    first = call("numpy._core.multiarray", "_reconstruct", ARRAY, pair(b"K\x00"), data(b"b"))
    return first + pair(b"K\x01", shape, kind, is_f, raw) + b"b"


def wrapped(raw: bytes = b"", **changed: bytes) -> bytes:
    """Write an array as joblib does: its wrapper, then its bytes."""
    state = {
        "subclass": ARRAY, "shape": pair(b"K\x02"), "order": text("C"), "dtype": dtype(),
        "allow_mmap": b"\x88", **changed,
    }  # fmt: skip
    return begun("joblib.numpy_pickle", "NumpyArrayWrapper", table(**state)) + raw


def invoked(place: int, module: str, name: str, args: tuple[str, ...]) -> bytes:
    """Write a call in one of the ways in which a pickle can."""
    packed = b"".join(map(text, args))
    line = f"{module}\n{name}\n".encode()
    ways = [
        lambda: b"c" + line + pair(packed) + b"R.",
        lambda: done(call(module, name, packed)),
        lambda: b"(" + packed + b"i" + line + b".",
        lambda: b"(c" + line + packed + b"o.",
        lambda: done(word(module, name) + pair(packed) + b"\x81"),
        lambda: done(word(module, name) + pair(packed) + b"}\x92"),
        lambda: done(b"]" + call(module, name, call(module, name, packed)) + b"a"),
        lambda: done(begun("my.own", "TextGrid", table(tiers=call(module, name, packed)))),
    ]
    return ways[place % len(ways)]()


def misused() -> dict[str, bytes]:
    """Write calls of what is known, with what it must not be given."""
    gib, far = number(10**12), number(2**62)
    grid = word("my.own", "TextGrid")
    tricks = ("__class__", "__dict__", "__setstate__", "__reduce__", "__getattr__", "__init__")
    bodies = {
        "bytearray of a number": call("builtins", "bytearray", gib),
        "bytes of a number": call("builtins", "bytes", gib),
        "set of a range": call("builtins", "set", call("builtins", "range", gib)),
        "dict of text": call("collections", "OrderedDict", text("ab")),
        "range of text": call("builtins", "range", text("a")),
        "complex of text": call("builtins", "complex", text("1"), text("2")),
        "slice as a key": b"}" + call("builtins", "slice", b"K\x01") + b"Ns",
        "list called": call("builtins", "list", text("abc")),
        "str called": call("builtins", "str", grid),
        "object called": call("builtins", "object"),
        "int of digits": call("builtins", "int", text("9" * 5000)),
        "defaultdict of a class": call("collections", "defaultdict", grid),
        "defaultdict of os.system": call("collections", "defaultdict", word("os", "system")),
        "class as a value": b"]" + ARRAY + b"a",
        "class alone": grid,
        "class as a key": b"}" + ARRAY + b"Ns",
        "function as a value": word("_codecs", "encode"),
        "dtype begun": call("numpy", "dtype", text("f8")),
        "array begun": call("numpy._core.multiarray", "_reconstruct", ARRAY, pair(gib), text("b")),
        "array of a stand-in": call("numpy._core.multiarray", "_reconstruct", grid, b")", text("b")),
        "reconstructor of a list": call("copyreg", "_reconstructor", grid, word("builtins", "list"), b"]"),
        "reconstructor of ndarray": call("copyreg", "_reconstructor", ARRAY, word("builtins", "object"), b"N"),
        "stand-in of arguments": grid + pair(text("a")) + b"\x81",
        "stand-in called": grid + pair(text("a")) + b"R",
        "stand-in by names": grid + b")" + table(a=b"N") + b"\x92",
        "stand-in with a list": grid + b")\x81]b",
        "stand-in appended to": grid + b")\x81Na",
        "stand-in with items": grid + b")\x81NNs",
        "stand-in in slots": grid + b")\x81" + pair(b"N", table(__class__=ARRAY)) + b"b",
        "stand-in with a number for a name": grid + b")\x81}K\x01Nsb",
        "instance in a dict of its own": begun("a", "TRFile", table(__dict__=table(a=b"N"))),
        **{f"stand-in with {one}": begun("a", "Tier", table(**{one: b"N"})) for one in tricks},
        **{f"state of {name}": first + table(a=b"N") + b"b" for name, first in {
            "a dict": b"}", "a list": b"]", "None": b"N", "text": text("a"), "a class": ARRAY,
            "a function": word("_codecs", "encode"), "a set": b"\x8f", "a number": b"K\x01",
        }.items()},
        **{f"encoding {name}": call("_codecs", "encode", text("a"), text(name)) for name in (
            "rot13", "zlib", "unicode_escape", "utf-8", "idna", "punycode", "hex",
        )},
        "encoding of bytes": call("_codecs", "encode", data(b"a"), text("latin1")),
        "encoding beyond latin1": call("_codecs", "encode", text("☃"), text("latin1")),
        **{f"dtype {code}": dtype(code) for code in (
            "f8,f8", "O,O", "(1000000,1000000)f8", "datetime64[1000Y]", "f3", "", "f8" * 999, "object",
            "S99999999999", "V-1", "{'a': 1}",
        )},
        "dtype of a class": call("numpy", "dtype", ARRAY),
        "dtype in an odd order": dtype(order="!"),
        "dtype of arrays": call("numpy", "dtype", text("V8")) + pair(
            b"K\x03", text("|"), pair(dtype(), pair(gib)), b"N", b"N", b"K\x08", b"K\x01", b"K\x00") + b"b",
        "dtype of fields": call("numpy", "dtype", text("V8")) + pair(
            b"K\x03", text("|"), b"N", pair(text("a")), table(a=pair(dtype("O"), b"K\x00")),
            b"K\x08", b"K\x01", b"K\x00") + b"b",
        "scalar of objects": call("numpy._core.multiarray", "scalar", dtype("O"), data(pickle.dumps(1))),
        "scalar cut": call("numpy._core.multiarray", "scalar", dtype(), data(b"a")),
        "array cut": array(pair(b"K\x09"), dtype(), data(b"a" * 8)),
        "array of far too much": array(pair(far, far), dtype(), data(b"")),
        "array of a negative length": array(pair(number(-1)), dtype(), data(b"")),
        "array of 33 axes": array(pair(*[b"K\x01"] * 33), dtype(), data(b"a" * 8)),
        "array of nothing, often": array(pair(gib), dtype("V0"), data(b"")),
        "array of objects as bytes": array(pair(b"K\x01"), dtype("O8", "|"), data(b"a" * 8)),
        "array of objects that are too few": array(pair(gib), dtype("O8", "|"), b"]"),
        "array of a class": array(pair(b"K\x01"), dtype("O8", "|"), b"]" + ARRAY + b"a"),
        "array of a stand-in's": array(pair(b"K\x01"), dtype("O8", "|"), b"]" + grid + b")\x81a"),
        "array without a type": array(pair(b"K\x01"), text("f8"), data(b"a" * 8)),
        "array beyond Unicode": array(pair(b"K\x01"), dtype("U1"), data(b"\xff" * 4)),
        "buffer in an odd order": call(
            "numpy._core.numeric", "_frombuffer", data(b"a" * 8), dtype(), pair(b"K\x01"), text("K")),
    }  # fmt: skip
    return {name: done(body) for name, body in bodies.items()}


def of_joblib() -> dict[str, bytes]:
    """Write joblib's arrays with what its own reader would trust."""
    evil = done(call("os", "system", text(TOUCH)))
    objects = dtype("O8", "|")
    within = array(pair(b"K\x01"), objects, b"]" + wrapped(evil, dtype=objects) + b"a")
    bodies = {
        "objects": wrapped(evil, dtype=objects),
        "objects within objects": wrapped(done(within), dtype=objects),
        "objects of no array": wrapped(done(b"]" + ARRAY + b"a"), dtype=objects),
        "objects without end": wrapped(b"", dtype=objects) + wrapped(b"\x80\x05", dtype=objects) * 40,
        "subclass": wrapped(bytes(16), subclass=word("os", "system")),
        "subclass of a stand-in": wrapped(bytes(16), subclass=word("a", "TextGrid")),
        "subclass of a list": wrapped(bytes(16), subclass=word("builtins", "list")),
        "subclass as text": wrapped(bytes(16), subclass=text("numpy.ndarray")),
        "shape of a class": wrapped(bytes(16), shape=pair(ARRAY)),
        "shape as text": wrapped(bytes(16), shape=text("22")),
        "shape far too large": wrapped(bytes(16), shape=pair(number(2**40))),
        "shape beyond numbers": wrapped(bytes(16), shape=pair(number(2**62), number(2**62))),
        "shape below zero": wrapped(bytes(16), shape=pair(number(-4), number(-4))),
        "order": wrapped(bytes(16), order=text("K")),
        "order of a class": wrapped(bytes(16), order=ARRAY),
        "type as text": wrapped(bytes(16), dtype=text("f8")),
        "padding": wrapped(b"\xff", numpy_array_alignment_bytes=b"K\x10"),
        "no state": begun("joblib.numpy_pickle", "NumpyArrayWrapper", b"]"),
        "empty state": begun("joblib.numpy_pickle", "NumpyArrayWrapper", b"}"),
        "wrapper begun": word("joblib.numpy_pickle", "NumpyArrayWrapper") + b")\x81",
        "file beside": begun("joblib.numpy_pickle", "NDArrayWrapper", table(filename=text("/etc/passwd"))),
        "file beside, packed": begun(
            "joblib.numpy_pickle_compat", "ZNDArrayWrapper", table(filename=text("../x"))),
    }  # fmt: skip
    return {f"joblib: {name}": done(body) for name, body in bodies.items()}


def of_pandas() -> dict[str, bytes]:
    """Write tables that do not fit together."""
    long = call(
        "pandas.core.indexes.base", "_new_Index", word("pandas", "RangeIndex"),
        table(start=b"K\x00", stop=number(2**61), step=b"K\x01", name=b"N"),
    )  # fmt: skip
    block = call(
        "pandas._libs.internals", "_unpickle_block", array(pair(b"K\x01"), dtype(), data(b"a" * 8)),
        call("builtins", "slice", b"K\x00", number(2**61), b"K\x01"), b"K\x02",
    )  # fmt: skip
    manager = ("pandas.core.internals.managers", "BlockManager")

    def frame(blocks: bytes, *axes: bytes) -> bytes:
        return begun("pandas", "DataFrame", table(_mgr=call(*manager, blocks, b"]" + b"".join(
            one + b"a" for one in axes))))  # fmt: skip

    def arrow(ends: bytes, letters: bytes, n: bytes) -> bytes:
        kind = call("pyarrow.lib", "type_for_alias", text("large_string"))
        held = [call("pyarrow.lib", "py_buffer", data(one)) for one in (ends, letters)]
        parts = pair(kind, n, b"K\x00", b"K\x00", b"](N" + b"".join(held) + b"e", b"]", b"N")
        state = table(_pa_array=call("pyarrow.lib", "_restore_array", parts))
        return begun("pandas.arrays", "ArrowStringArray", state)

    bodies = {
        "no columns, all rows": frame(pair(), long, long),
        "all columns": frame(pair(block), long, long),
        "one axis": frame(pair(block), long),
        "no blocks": frame(b"N", long, long),
        "blocks of text": frame(pair(text("a")), long, long),
        "no state": begun("pandas", "DataFrame", b"]"),
        "series of nothing": begun("pandas.core.series", "Series", table(_name=text("a"))),
        "begun": word("pandas.core.frame", "DataFrame") + b")\x81",
        "range without step": call("pandas.core.indexes.base", "_new_Index", word(
            "pandas", "RangeIndex"), table(start=b"K\x00", stop=b"K\x01", step=b"K\x00")),
        "index of a class": call("pandas.core.indexes.base", "_new_Index", word("pandas", "Index"), table(
            data=ARRAY)),
        "index of another kind": call("pandas.core.indexes.base", "_new_Index", word(
            "pandas", "MultiIndex"), table()),
        "text beyond its letters": arrow(struct.pack("<2q", 0, 2**40), b"abc", b"K\x01"),
        "text backwards": arrow(struct.pack("<3q", 3, 0, 3), b"abc", b"K\x02"),
        "text that is none": arrow(struct.pack("<2q", 0, 2), b"\xff\xff", b"K\x01"),
        "text without ends": arrow(b"", b"abc", number(2**40)),
        "manager of states": begun(*manager, pair(b"]", b"]", b"]", table(a=b"N"))),
    }  # fmt: skip
    return {f"pandas: {name}": done(body) for name, body in bodies.items()}


def put(place: int) -> bytes:
    """Put the last value into the memo, and let it go."""
    return b"r" + struct.pack("<I", place) + b"0"


def get(place: int) -> bytes:
    return b"j" + struct.pack("<I", place)


def several(*items: bytes) -> bytes:
    return b"](" + b"".join(items) + b"e"


def fields(*names: str, size: bytes = b"K\x08", at: bytes = b"K\x00") -> bytes:
    """Write a type of several numbers, all in one place."""
    held = b"}(" + b"".join(text(one) + pair(dtype("i1", "|"), at) for one in names) + b"u"
    state = pair(b"K\x03", text("|"), b"N", pair(*map(text, names)), held, size, b"K\x01", b"K\x00")
    return call("numpy", "dtype", text("V8")) + state + b"b"


def amplified() -> dict[str, bytes]:
    """Write little that is used again and again, or that stands for much."""
    scalar = word("numpy._core.multiarray", "scalar")
    wide = (
        call("numpy", "dtype", text("S200000"), b"\x89", b"\x88")
        + pair(number(3), text("|"), b"N", b"N", b"N", number(200_000), b"K\x01", b"K\x00")
        + b"b"
    )
    same_hash = b"".join(
        get(2) + get(1) + data(struct.pack("<dd", -1000003.0 * k, k)) + b"\x86RN" for k in range(9)
    )
    chain = b"".join(b"]" + get(i) + b"a" + put(i + 1) for i in range(700))
    none, letters = (
        call(
            "pandas.core.indexes.base",
            "_new_Index",
            word("pandas", "RangeIndex"),
            table(start=b"K\x00", stop=b"K\x00", step=b"K\x01", name=b"N"),
        ),
        text("b" * 60_000),
    )
    many = none.replace(b"stop" + b"K\x00", b"stop" + number(199_999))
    block = call(
        "pandas._libs.internals",
        "_unpickle_block",
        array(pair(number(199_999), b"K\x00"), dtype(), data(b"")),
        call("builtins", "slice", b"K\x00", number(199_999), b"K\x01"),
        b"K\x02",
    )
    manager = call(
        "pandas.core.internals.managers", "BlockManager", pair(block), several(many, none)
    )
    refs = array(pair(number(900)), dtype("O8", "|"), several(*[get(1)] * 900))
    parts = {
        "scalars of the same bytes": data(b"a" * 200_000) + put(1) + wide + put(2) + several(
            *[scalar + get(2) + get(1) + b"\x86R"] * 300),
        "complex numbers as keys": dtype("c16") + put(1) + scalar + put(2) + b"}(" + same_hash + b"u",
        "range of a trillion": call("builtins", "range", number(10**12)),
        "nothing by far too much": wrapped(b"", shape=pair(b"K\x00", number(2**61))),
        "nothing by far too much, given": array(pair(b"K\x00", number(2**61)), dtype(), data(b"")),
        "chain that is listed from its end": b"]" + put(0) + chain + several(
            *[get(i) for i in range(700, -1, -1)]),
        "labels of one long text": letters + put(1) + call(
            "pandas.core.indexes.base", "_new_Index", word("pandas", "Index"),
            table(data=refs, name=b"N")),
        "labels of half numbers": call(
            "pandas.core.indexes.base", "_new_Index", word("pandas", "Index"),
            table(data=array(pair(b"K\x01"), dtype("f2"), data(b"aa")), name=b"N")),
        "table of columns alone": begun("pandas", "DataFrame", table(_mgr=manager)),
        "field of a long name": wrapped(bytes(8), shape=pair(b"K\x01"), dtype=fields("a" * 300)),
        "field before its start": wrapped(
            bytes(8), shape=pair(b"K\x01"), dtype=fields("a", at=number(-8))),
        "fields of 2 GiB": wrapped(b"", dtype=fields("a", "b", size=number(2**31 - 1))),
        "text beyond Unicode, mapped": wrapped(
            b"\xff" * 4, shape=pair(b"K\x01"), dtype=dtype("U1")),
        "name that clears the screen": word("\x1b[2Jx", "TextGrid") + pair(text("a")) + b"R",
        "attribute that clears the screen": begun("a", "TextGrid", b"}" + text("\x1b[2J") + b"Ns"),
    }  # fmt: skip
    made = {name: done(body) for name, body in parts.items()}
    whole = done(b"]K\x01a")
    made |= {
        "protocol 255": b"\x80\xffN.",
        "members of gzip that end early": gzip.compress(whole[:3], mtime=0) * 2,
        "members of bz2 and then noise": bz2.compress(whole[:3]) + b"BZh9noise",
        "empty members of gzip": gzip.compress(b"", mtime=0) * 5000,
        "empty members of xz": lzma.compress(b"") * 5000,
    }
    return {f"amplified: {name}": body for name, body in made.items()}


def malformed() -> dict[str, bytes]:
    """Write what is no pickle, or says that it is longer than it is."""
    made = {
        f"stack of nothing, {code!r}": bytes([code]) + b"."
        for code in (*b"012Rbaesutldoi", *b"\x81\x85\x86\x87\x90\x91\x92\x93\x94", *b"Q.")
    }
    known = set(b"(.0125FIJKLMNPQRSTUVXabcdeghijlopqrstu]})GBC") | set(range(0x80, 0x99))
    made |= {f"step {code}": bytes([code]) for code in range(1, 256, 7) if code not in known}
    made |= {
        f"length of {code:#x}": bytes([code]) + struct.pack("<Q", n) + b"a."
        for code in (0x8D, 0x8E, 0x96)
        for n in (2**62, 2**64 - 1, 2**40)
    }
    deep = b"\x80\x04" + b")" + b"\x94" + b"h\x000" + b"h\x00h\x00\x86" + b"2\x86" * 60
    made |= {
        "frame": b"\x80\x04\x95" + struct.pack("<Q", 2**62) + b"K\x01",
        "bytes": b"B\xff\xff\xff\xffa.",
        "text": b"X\xff\xff\xff\xffa.",
        "old text": b"T\xff\xff\xff\x7fa.",
        "old text below zero": b"T\xff\xff\xff\xff.",
        "integer": b"\x8b\xff\xff\xff\x7f.",
        "integer below zero": b"\x8b\xff\xff\xff\xff.",
        "integer of digits": b"L" + b"9" * 100_000 + b"L\n.",
        "integer of letters": b"Iabc\n.",
        "number of letters": b"Fabc\n.",
        "text without quotes": b"Sabc\n.",
        "text in two quotes": b"S'abc\"\n.",
        "text of a call": b"S__import__('os').system('x')\n.",
        "text with half a letter": b"V\\ud8\n.",
        "text that is none": b"X\x02\x00\x00\x00\xff\xff.",
        "memo": b"h\x05.",
        "memo below zero": b"g-1\n.",
        "memo of letters": b"gx\n.",
        "memo far away": b"j\xff\xff\xff\xff.",
        "put below zero": b"Np-1\n.",
        "protocol": b"\x80\x06N.",
        "two objects": b"NN.",
        "open mark": b"(N.",
        "no end": b"\x80\x04N",
        "name without end": b"cos\nsystem",
        "name too long": b"c" + b"a" * 5000 + b"\nb\n.",
        "name of numbers": b"K\x01K\x02\x93.",
        "persistent": b"Phostile\n.",
        "persistent from the stack": b"Nq\x00Q.",
        "extension 1": b"\x82\x01.",
        "extension 2": b"\x83\x01\x00.",
        "extension 4": b"\x84\x01\x00\x00\x00.",
        "buffer elsewhere": b"\x80\x05\x97.",
        "keys without end": b"}" + deep[2:] + b"Ns.",
        "members without end": b"\x8f(" + deep[2:] + b"\x90.",
        "keys of sets": b"}(K\x01\x91Ns.",
        "keys of lists": b"}]Ns.",
        "wide key": b"}\x8a\xff" + b"\x01" * 255 + b"Ns.",
        "list of a tuple": b")Na.",
        "itself as a key": b"]q\x00}h\x00Ns.",
        "frozen list of lists": b"(]\x91.",
        "calls itself": b"]q\x00h\x00h\x00R.",
    }
    return {f"malformed: {name}": body for name, body in made.items()}


def bombs() -> dict[str, bytes]:
    """Write little that unpacks to much."""
    zeros = done(wrapped(b"", shape=pair(number(BOMB // 8))))[:-1]
    parts = {
        "array": zeros + bytes(BOMB),
        "bytes": b"\x80\x04\x8e" + struct.pack("<Q", BOMB) + bytes(BOMB),
        "lists": b"]" * BOMB,
        "marks": b"(" * BOMB,
        "sets": b"\x80\x04" + b"\x8f" * BOMB,
        "nothing": b"N0" * (BOMB // 2),
        "copies": b"N" + b"2" * BOMB,
        "tuples": b")" + b"2\x86" * (BOMB // 2),
        "depth": b"]" * 100_000 + b"a" * 99_999 + b".",
        "lines": b"V" + b"a" * BOMB,
        "many letters": b"X" + struct.pack("<I", BOMB) + b"a" * BOMB,
        "memo": b"N" + b"\x94" * BOMB,
    }
    packed = {name: bz2.compress(body, 9) for name, body in parts.items()}
    whole = done(b"K\x01")
    good = zlib.compress(whole)
    alone = lzma.compress(whole, lzma.FORMAT_ALONE)
    packed |= {
        "array in xz": lzma.compress(parts["array"]),
        "array in lzma": lzma.compress(parts["array"], lzma.FORMAT_ALONE),
        "array in zlib": zlib.compress(parts["array"], 9),
        "array in gzip": gzip.compress(parts["array"], 9, mtime=0),
        "wrong sum": good[:-1] + bytes([good[-1] ^ 1]),
        "wrong sum of gzip": gzip.compress(whole, mtime=0)[:-8] + bytes(8),
        "cut": good[:-5],
        "a dictionary of 4 GiB": alone[:1] + b"\xff\xff\xff\xff" + alone[5:],
        "packed twice": zlib.compress(good),
        "nothing in it": zlib.compress(b""),
        "noise": b"\x78\x9c" + bytes(range(256)),
    }
    return {f"bomb: {name}": body for name, body in packed.items()}


def corpus() -> dict[str, bytes]:
    """Return all of them by name."""
    calls = {
        f"{place}: {module}.{name}": invoked(place, module, name, args)
        for place, (module, name, args) in enumerate(CALLS)
    }
    return {
        **calls,
        **misused(),
        **of_joblib(),
        **of_pandas(),
        **malformed(),
        **amplified(),
        **bombs(),
    }


if __name__ == "__main__":
    rows = {name: base64.b64encode(body).decode("ascii") for name, body in corpus().items()}
    (HERE / "corpus.json").write_text(json.dumps(rows, indent=0, ensure_ascii=True) + "\n")
