"""The tours run as they stand: their own assertions hold, the model learns, the picture is drawn."""

import re
import runpy
from pathlib import Path

import jax
import matplotlib as mpl
import matplotlib.pyplot as plt
import pytest
from matplotlib import image as matplotlib_image

TOURS = Path(__file__).parents[1] / "docs" / "tours"
# Steps, and what is reached by then in the held-out metric: an untrained model, and less than halfway
# down from it to what the full run reaches.
REACHES = {
    "vae": (100, "eval/loss", 48.6, 30.0),
    "gan": (2400, "eval/pixel_frechet", 10.1, 5.0),
    "gpt": (40, "eval/loss", 4.63, 3.2),
}


@pytest.mark.once
@pytest.mark.usefixtures("optimised")
@pytest.mark.parametrize("name", REACHES)
def test_a_tour_runs(name, tmp_path, monkeypatch):
    steps, metric, untrained, wanted = REACHES[name]
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TOUR_STEPS", str(steps))
    monkeypatch.setattr(mpl, "rcParams", mpl.rcParams.copy())
    mpl.use("Agg")
    try:
        found = runpy.run_path(str(TOURS / f"{name}.py"))
    finally:
        plt.close("all")
    model = found["model"]
    assert int(model.state.step) == steps
    assert model.evaluate()[metric] < wanted < untrained
    start = model.task.evaluate(model.task.init(jax.random.key(0)).weights, model.data.test)
    assert start[metric.removeprefix("eval/")] == pytest.approx(untrained, rel=0.05)
    picture = matplotlib_image.imread(tmp_path / "runs" / f"tour-{name}" / "tour.png")
    assert picture.shape[1] > 1200 and picture[..., :3].std() > 0.1  # not a blank page


def test_there_are_three_and_each_is_a_notebook():
    assert {path.stem for path in TOURS.glob("*.py")} == set(REACHES)
    for path in TOURS.glob("*.py"):
        text = path.read_text(encoding="utf-8")
        cells = re.split(r"^# %%", text, flags=re.M)
        assert cells[0] == "" and len(text.splitlines()) < 145, path
        for cell in cells[1:]:
            kind, _, body = cell.partition("\n")
            if kind == " [markdown]":
                assert all(line.startswith("#") for line in body.strip().splitlines()), path
            else:
                assert kind == "" and body.strip(), path
        assert not re.search(r"[ .]_[a-z]+\(|import _", text), f"{path} uses what is not public"
