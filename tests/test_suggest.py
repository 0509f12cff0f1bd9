import pytest

from jaxgen.suggest import nearest

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
