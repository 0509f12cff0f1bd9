"""`--profile N`: where the trace is, said when it is whole and when the run ended before."""

import jax

from jaxgen.runs.profile import Profile


def test_whole_dispatches_are_recorded_behind_the_first(tmp_path, monkeypatch, capsys):
    calls = []
    monkeypatch.setattr(jax.profiler, "start_trace", lambda *_, **__: calls.append("start"))
    monkeypatch.setattr(jax.profiler, "stop_trace", lambda: calls.append("stop"))
    with Profile(tmp_path, 5) as profile:
        assert [profile.after(3, ()) for _ in range(4)] == [None, None, tmp_path / "profile", None]
    assert calls == ["start", "stop"]
    with Profile(tmp_path, 5) as profile:
        profile.after(3, ())
        profile.after(3, ())
    assert calls == ["start", "stop"] * 2
    assert capsys.readouterr().err == (
        "a trace of fewer steps than asked, since the run has ended, is in "
        f"{tmp_path / 'profile'}\n"
    )
    with Profile(tmp_path, 0) as profile:
        assert profile.after(3, ()) is None
    assert calls == ["start", "stop"] * 2
