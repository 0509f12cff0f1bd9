import ast
from pathlib import Path

from jaxgen import equations


def test_the_room_imports_jax_and_itself_only():
    allowed = {"jax", "jaxtyping", "jaxgen.equations"}
    standard = {"math", "functools", "typing", "collections", "types"}
    for file in Path(equations.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            names += [node.module] if isinstance(node, ast.ImportFrom) else []
            for name in names:
                head = ".".join(name.split(".")[: 2 if name.startswith("jaxgen") else 1])
                assert head in allowed | standard, f"{file.name} imports {name}"
