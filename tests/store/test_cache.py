from pathlib import Path

from voxscale.store import cache_folder


def test_own_variable_comes_first(monkeypatch, tmp_path):
    monkeypatch.setenv("VOXSCALE_CACHE", str(tmp_path / "mine"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_folder() == tmp_path / "mine"
    assert cache_folder("models", "echo") == tmp_path / "mine" / "models" / "echo"
    assert not (tmp_path / "mine").exists()


def test_then_the_one_of_the_desktop(monkeypatch, tmp_path):
    monkeypatch.delenv("VOXSCALE_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder("demo") == tmp_path / "voxscale" / "demo"


def test_then_the_home_folder(monkeypatch, tmp_path):
    monkeypatch.delenv("VOXSCALE_CACHE")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache_folder() == tmp_path / ".cache" / "voxscale"


def test_it_is_absolute(monkeypatch):
    monkeypatch.setenv("VOXSCALE_CACHE", "here")
    assert cache_folder() == Path.cwd() / "here"
