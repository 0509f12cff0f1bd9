import ast
from pathlib import Path

import jaxgen
from jaxgen import catalog

JAXGEN = Path(jaxgen.__path__[0])


def imports(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module


def test_the_room_stands_on_equations_and_costs_and_those_know_nothing_of_it():
    allowed = ("equations", "costs", "catalog", "errors", "suggest")
    for path in Path(catalog.__file__).parent.glob("*.py"):
        for name in imports(path):
            head, *rest = name.split(".")
            assert head != "jaxgen" or not rest or rest[0] in allowed, f"{path.name} imports {name}"
            assert head not in ("flax", "optax"), f"{path.name} imports {name}"
    for room in ("equations", "costs"):
        for path in (JAXGEN / room).rglob("*.py"):
            assert not [name for name in imports(path) if name.startswith("jaxgen.catalog")], path
