import pytest

from jaxgen.suggest import alike, did_you_mean, nearest

NAMES = ("vae.elbo", "vae.objective", "gan.minimax")


@pytest.mark.parametrize(
    ("name", "cutoff", "expected"),
    [
        ("vae.elb0", 0.6, "vae.elbo"),
        ("gan.minimaxx", 0.6, "gan.minimax"),
        ("vae.elbo", 1.0, "vae.elbo"),
        ("vae.elb0", 1.0, None),
        ("transformer", 0.6, None),
        ("zzz", 0.6, None),
        ("", 0.6, None),
    ],
)
def test_the_nearest_name_is_that_with_most_in_common(name, cutoff, expected):
    assert nearest(name, NAMES, cutoff) == expected
    assert nearest(name, iter(NAMES), cutoff) == expected


def test_a_cutoff_of_0_always_names_one_and_no_choices_none():
    assert nearest("zzz", NAMES, cutoff=0.0) in NAMES
    assert nearest("", NAMES, cutoff=0.0) in NAMES
    assert nearest("vae.elbo", (), cutoff=0.0) is None


def test_few_names_are_all_told_and_of_many_the_likest():
    assert did_you_mean("gan.minimal", NAMES) == (
        "did you mean gan.minimax? (known are vae.elbo, vae.objective, gan.minimax)"
    )
    assert did_you_mean("zzz", NAMES) == "known are vae.elbo, vae.objective, gan.minimax"
    many = [*NAMES, *(f"model-{number:03d}" for number in range(100))]
    said = did_you_mean("minimax", many, listed_by="jaxgen list")
    assert said.startswith("did you mean gan.minimax? (or ") and len(said) < 120
    assert said.endswith("; jaxgen list lists all 103)")
    assert did_you_mean("zzz", many).startswith("the likest are ")


def test_alike_is_first_what_holds_the_name_then_what_means_it_then_its_letters():
    titles = {
        "diffusion.ddim": "a step back", "gan.r1": "a discriminator that is flat",
        "gan.discriminator": "the probability", "gan.minimax": "the value",
    }  # fmt: skip
    assert alike("discriminator", titles)[:2] == ["gan.discriminator", "gan.r1"]
    assert alike("gan.minimac", titles)[0] == "gan.minimax"
    assert alike("step back", titles)[0] == "diffusion.ddim"  # by its title alone
    assert (
        alike("wgan", {"gan.wasserstein-value": "", "gan.wgam": ""})[0] == "gan.wasserstein-value"
    )
