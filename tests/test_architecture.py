"""Who may import whom, and what is imported when: the table of the house, enforced."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "jaxgen"
RANKS = {
    "equations": 0, "costs": 0, "models": 1, "data": 1, "training": 1, "objectives": 2,
    "sampling": 2, "evaluation": 3, "experiments": 4, "book": 5,
}  # fmt: skip
SHARED = {"jaxgen", "jaxgen.errors"}  # beneath every room
ONLY_IN = {  # a package, and the rooms that alone may import it
    "optax": {"training"},
    "tensorflow_datasets": {"data"},
    "orbax": {"training"},
    "flax": {"models", "objectives", "sampling", "evaluation", "training"},
}
# Rank 1 stands on rank 0 but its rooms know nothing of each other; likewise the two of rank 0.
FOUNDATIONS = {"equations", "costs", "data", "training"}


def imports(path: Path) -> set[str]:
    """The dotted names of all imports of a file, lazy ones too."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names |= {f"{node.module}.{alias.name}" for alias in node.names} | {node.module}
    return names


def files() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


@pytest.mark.parametrize("room", RANKS)
def test_a_room_imports_lower_rooms_only(room):
    for path in (PACKAGE / room).rglob("*.py"):
        for name in imports(path):
            parts = name.split(".")
            if parts[0] != "jaxgen" or len(parts) < 2 or parts[1] not in RANKS:
                continue
            other = parts[1]
            lower = RANKS[other] < RANKS[room] and not {room, other} <= FOUNDATIONS
            # Objectives and sampling, of one rank, are built on the same models and stay apart.
            assert other == room or lower, f"{path.relative_to(PACKAGE)} imports {name}"


def test_rooms_import_no_module_that_stands_above_them():
    above = {f"jaxgen.{path.stem}" for path in PACKAGE.glob("*.py")} - SHARED - {"jaxgen.__init__"}
    for room in set(RANKS) - {"book"}:
        for path in (PACKAGE / room).rglob("*.py"):
            assert not imports(path) & above, path


@pytest.mark.parametrize("package", ONLY_IN)
def test_packages_are_imported_only_where_they_belong(package):
    users = {
        path.relative_to(PACKAGE).parts[0]
        for path in files()
        if any(name.split(".")[0] == package for name in imports(path))
    }
    assert users <= ONLY_IN[package]
    assert users, f"nothing imports {package}: remove it from the dependencies"


def test_only_parallel_names_devices():
    words = ("pmap(", "shard_map", "NamedSharding", "device_put", "make_mesh", "jax.devices(")
    for path in files():
        if path.relative_to(PACKAGE).as_posix() == "training/parallel.py":
            continue
        if path.relative_to(PACKAGE).parts[0] in ("costs", "book"):
            continue  # the counter enters those primitives, the book prints the device's name
        code = "\n".join(line for line in path.read_text().splitlines() if "import" not in line)
        assert not [word for word in words if word in code], path


def test_help_and_costs_need_no_jax():
    """What the command line shows before it computes must not wait for jax to be imported."""
    modules = [
        ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts)
        for path in files()
        if path.relative_to(PACKAGE).parts[0] in ("costs", "experiments", "data")
        and path.name not in ("count.py", "tfds_digits.py")
    ]
    code = (
        "import importlib, sys\n"
        f"for name in {[*modules, 'jaxgen.cli']!r}: importlib.import_module(name)\n"
        "print([name for name in ('jax', 'flax', 'optax', 'tensorflow_datasets', 'matplotlib')"
        " if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_files_stay_small():
    """A file beyond this wants to be two; the limit is loose, the aim is 300 lines."""
    sizes = {path: len(path.read_text().splitlines()) for path in files()}
    assert not {path: size for path, size in sizes.items() if size > 400}


UNSAFE = ("pickle", "dill", "cloudpickle", "marshal", "shelve", "joblib", "torch", "yaml")


def test_nothing_that_is_loaded_may_run_code():
    """No pickle or the like, no eval; processes are started by the launcher alone."""
    for path in files():
        names = {name.split(".")[0] for name in imports(path)}
        assert not names & set(UNSAFE), path
        assert "subprocess" not in names or path.name == "launch.py", path
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.Call):
                continue
            called = ast.unparse(node.func)
            assert called not in ("eval", "exec", "os.system", "os.popen"), path
            if called in ("np.load", "numpy.load"):
                assert "allow_pickle=False" in ast.unparse(node), path
