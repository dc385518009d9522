import pytest

from voxscale.study._toml import line_of, read_study_file

TEXT = """# first
[study]
name = "a"
"layers" = [
  1,
]
[fit] # how
alphas = { low = 1, n = 3 }
cv.gap = 2
[fit.deep]
x = 1
"""


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (["study"], 2),
        (["study", "name"], 3),
        (["study", "layers"], 4),
        (["study", "absent"], 2),
        (["fit", "alphas"], 8),
        (["fit", "alphas", "low"], 8),
        (["fit", "cv", "gap"], 9),
        (["fit", "deep", "x"], 11),
        (["nowhere"], None),
    ],
)
def test_lines_are_found(path, line):
    assert line_of(TEXT, path) == line


def test_the_text_comes_with_its_tables(tmp_path):
    (tmp_path / "a.toml").write_text('[study]\nname = "é"\n', encoding="utf-8")
    text, tables = read_study_file(tmp_path / "a.toml")
    assert text.startswith("[study]")
    assert tables == {"study": {"name": "é"}}
