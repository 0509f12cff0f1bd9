"""Where prepared data is kept, and what is said where there is no such place."""

from pathlib import Path

import pytest

from jaxgen.data.cache import VARIABLE, cache_folder
from jaxgen.errors import UserError


def test_without_a_home_a_folder_is_to_be_named(tmp_path, monkeypatch):
    def nowhere():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", nowhere)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.delenv(VARIABLE, raising=False)
    with pytest.raises(UserError, match=rf"no home directory .* by \${VARIABLE}"):
        cache_folder()
    monkeypatch.setenv(VARIABLE, str(tmp_path / "own"))
    assert cache_folder() == tmp_path / "own" and (tmp_path / "own").is_dir()
