"""From a formula to the code that is made of it, and from that code back to the formula."""

import re
from pathlib import Path

import pytest

from jaxgen.catalog import EQUATIONS
from jaxgen.catalog.places import callers, place, target_of, uses

ROOT = Path(__file__).parents[2]
FORMS = {
    equation.id: [
        form
        for form in (equation.function, equation.printed_function, *equation.twins)
        if form is not None
    ]
    for equation in EQUATIONS.values()
}


def test_a_place_is_the_line_of_the_definition():
    for forms in FORMS.values():
        for form in forms:
            file, line = place(form).split(":")
            text = (ROOT / file).read_text().splitlines()[int(line) - 1]
            assert re.match(rf"\s*def {form.__name__}\b", text)


def test_code_made_of_a_formula_names_its_id_and_none_that_it_is_not_made_of():
    ids_of: dict[str, set[str]] = {}
    for entry_id, forms in FORMS.items():
        for form in forms:
            ids_of.setdefault(target_of(form), set()).add(entry_id)
    made_of: dict[str, list[set[str]]] = {}
    for use in uses():
        if use.target in ids_of and not use.module.startswith("jaxgen/equations/"):
            made_of.setdefault(use.module, []).append(ids_of[use.target])
    assert len(made_of) > 20
    for module, formulas in made_of.items():
        doc = (ROOT / module).read_text().split('"""')[1]
        named = set(re.findall(r"`([a-z]+\.[a-z0-9-]+)`", doc)) & set(EQUATIONS)
        for ids in formulas:
            assert named & ids, f"{module} is made of {ids} and names none of them"
        assert named <= set().union(*formulas), f"{module} is not made of all that it names"


@pytest.mark.parametrize(
    ("entry_id", "file", "name", "through"),
    [
        ("vae.elbo", "jaxgen/families/vae/objective.py", "_elbo_value", ""),
        ("attention.scores", "jaxgen/layers/attention.py", "Attention._whole", ""),
        ("gan.hinge-critic-loss", "jaxgen/families/gan/objective.py", "LOSSES", ""),
        ("diffusion.posterior", "jaxgen/families/diffusion/sampling.py", "_make_flow.flow",
         "diffusion_samplers.sample"),
    ],
)  # fmt: skip
def test_callers_by_hand(entry_id, file, name, through):
    found = {(each.file, each.name): each for each in callers(EQUATIONS[entry_id].function)}
    caller = found[file, name]
    assert caller.through == through
    word = (through or EQUATIONS[entry_id].function.__name__).rpartition(".")[2]
    assert word in (ROOT / file).read_text().splitlines()[caller.line - 1]
