"""The picture of the mistakes: what each pair differs in, and one of a few steps from end to end."""

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from jaxgen.book import mistakes
from jaxgen.cli.mistakes import mistakes as command
from jaxgen.families.gan.names import AS_PRINTED
from jaxgen.models.mlp_gan.config import MLPGANConfig


def test_each_pair_is_a_mistake_and_its_correction():
    for printed, corrected in mistakes.PAIRS.values():
        assert printed.fields["loss"] in AS_PRINTED
        assert corrected.fields.get("loss", "non-saturating") not in AS_PRINTED
        sides = [mistakes.side(own.fields, 10, seed=3) for own in (printed, corrected)]
        assert {(each.steps, each.seed, each.r1, each.noise_penalty) for each in sides} == {
            (10, 3, 0.0, 0.0)
        }


@pytest.mark.first
def test_one_picture_from_one_command(tmp_path, monkeypatch, capsys):
    small = MLPGANConfig(2, (5,), (5,), output="numbers")
    side = mistakes.side

    def tiny(fields, steps, seed):
        return replace(side(fields, steps, seed), batch_size=4, model=small)

    clouds, centres = {}, []

    def save_clouds(drawn, around, path):
        clouds.update(drawn)
        centres[:] = around
        return save(drawn, around, path)

    save = mistakes.save_clouds
    monkeypatch.setattr(mistakes, "save_clouds", save_clouds)
    monkeypatch.setattr(mistakes, "side", tiny)
    monkeypatch.setattr(mistakes, "PAIRS", {"critic-loss": mistakes.PAIRS["critic-loss"]})
    args = ["--steps", "2", "--runs", str(tmp_path)]
    command(args)
    path = tmp_path / "mistakes-2-0.png"
    *told, last = capsys.readouterr().out.splitlines()
    told = [line for line in told if line.startswith("mistake-")]
    assert last == str(path)
    # What is told of each cloud, title and line, is counted of the very points that it shows.
    for (title, points), line, side_of in zip(
        clouds.items(), told, ("printed", "corrected"), strict=True
    ):
        assert len(points) == mistakes.POINTS
        near = [np.linalg.norm(points - centre, axis=1) <= 3 * 0.01 for centre in centres]
        modes, share = sum(hit.any() for hit in near), np.mean(np.any(near, axis=0))
        assert title.endswith(f"{modes} of 8 modes, {100 * share:.0f} % of high quality")
        assert line.startswith(f"mistake-critic-loss-{side_of}-2-0 ")
        assert line.endswith(f" {modes} modes, {share:.1%} of high quality")
    with Image.open(path) as picture:
        assert picture.size == (800, 440)
    before = path.stat().st_mtime_ns
    command(args)  # what is trained is not trained again
    assert path.stat().st_mtime_ns > before
