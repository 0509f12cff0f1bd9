"""Where an equation's forms are written, and who calls them, as the source has it."""

import ast
import functools
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

PACKAGE = Path(__file__).parents[1]
ROOMS = ("layers", "models", "families", "training", "metrics")
EQUATIONS = "jaxgen.equations"


class Caller(NamedTuple):
    """A function or class that calls a formula, perhaps through another formula."""

    file: str  # beneath the project's folder
    line: int
    name: str  # such as `Attention.__call__`
    through: str  # the formula that it calls, where that calls the one asked for; else ''


class Use(NamedTuple):
    """A mention of a formula: in which file, where there, and which."""

    module: str
    line: int
    scope: str
    target: str  # module.function beneath jaxgen.equations


def place(function: Callable[..., Any]) -> str:
    """FILE:LINE of a function, the file as one names it in the project's folder."""
    function = inspect.unwrap(function)
    file = Path(inspect.getsourcefile(function) or "")
    lines, first = inspect.getsourcelines(function)
    skipped = next(i for i, line in enumerate(lines) if line.lstrip().startswith("def "))
    return f"{_short(file)}:{first + skipped}"


def callers(function: Callable[..., Any]) -> list[Caller]:
    """Who in the rooms of models and losses calls a formula, themselves first, by file and line."""
    wanted = target_of(function)
    found: dict[tuple[str, str], Caller] = {}
    reached, todo = {wanted: ""}, [wanted]
    while todo:
        target = todo.pop(0)
        for use in uses():
            if use.target != target:
                continue
            if use.module.startswith("jaxgen/equations/"):
                outer = f"{Path(use.module).stem}.{use.scope.split('.')[0]}"
                if outer not in reached:
                    reached[outer] = outer
                    todo.append(outer)
            else:
                caller = Caller(use.module, use.line, use.scope, reached[target])
                found.setdefault((use.module, use.scope), caller)
    return sorted(found.values(), key=lambda each: (bool(each.through), each.file, each.line))


def target_of(function: Callable[..., Any]) -> str:
    """A formula as `Use.target` has it."""
    function = inspect.unwrap(function)
    return f"{function.__module__.removeprefix(f'{EQUATIONS}.')}.{function.__qualname__}"


def _short(file: Path) -> str:
    return file.relative_to(PACKAGE.parent).as_posix()


@functools.cache
def uses() -> list[Use]:
    """Every mention of a formula in a function or class of these rooms, and of equations themselves."""
    files = [
        file for room in ("equations", *ROOMS) for file in sorted((PACKAGE / room).rglob("*.py"))
    ]
    return [use for file in files for use in _uses_of(file)]


def _uses_of(file: Path) -> list[Use]:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    modules, names = _imported(tree)
    here = file.stem if file.parent.name == "equations" else None
    own = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)} if here else set()
    own |= {node.targets[0].id for node in tree.body if here and isinstance(node, ast.Assign)
            and isinstance(node.targets[0], ast.Name)}  # fmt: skip
    found: list[Use] = []

    def walk(node: ast.AST, scope: tuple[str, ...]) -> None:
        target = None
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            module = modules.get(node.value.id)
            target = module and f"{module}.{node.attr}"
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
            target = names.get(node.id) or (f"{here}.{node.id}" if node.id in own else None)
        if target and scope and isinstance(node, ast.expr):
            found.append(Use(_short(file), node.lineno, ".".join(scope), target))
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            scope = (*scope, node.name)
        elif isinstance(node, ast.Assign | ast.AnnAssign) and not scope:  # a table of losses
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            scope = tuple(each.id for each in targets if isinstance(each, ast.Name))
        for child in ast.iter_child_nodes(node):
            walk(child, scope)

    walk(tree, ())
    return found


def _imported(tree: ast.Module) -> tuple[dict[str, str], dict[str, str]]:
    """(modules of equations by the name they have here, their functions by the name they have here)."""
    modules, names = {}, {}
    for node in ast.walk(tree):
        if not isinstance(node, ast.ImportFrom) or not (node.module or "").startswith(EQUATIONS):
            continue
        for alias in node.names:
            known = alias.asname or alias.name
            if node.module == EQUATIONS:
                modules[known] = alias.name
            else:
                names[known] = f"{(node.module or '').rpartition('.')[2]}.{alias.name}"
    return modules, names
