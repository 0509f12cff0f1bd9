"""Who may import whom, and what is imported when: the table of the house, enforced."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.first
ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "jaxgen"
SHARED = {"errors", "interrupts", "suggest"}  # beneath every room
ROOMS = {  # a room, and the rooms that it may import beside its own and the shared modules
    "equations": set(),
    "costs": set(),
    "data": set(),
    "catalog": {"equations", "costs"},
    "training": {"equations"},
    "devices": {"training"},
    "runs": {"training", "devices"},
    "layers": {"equations", "training"},
    "models": {"equations", "costs", "layers"},
    "metrics": {"equations"},
    "families": {"equations", "costs", "data", "training", "layers", "models", "metrics"},
    "experiments": {"training", "models", "families"},
    "book": {
        "equations", "catalog", "costs", "devices", "runs", "experiments", "families", "metrics",
        "reader", "runner",
    },
    "cli": {
        "catalog", "data", "training", "devices", "runs", "experiments", "families", "book", "reader",
        "runner",
    },
}  # fmt: skip
TOP = {
    "reader",
    "runner",
    "launch",
    "api",
    "__init__",
    "__main__",
}  # above the rooms; who imports them is above
BENCHMARKS = {
    "measure": set(),
    "aot": {"measure", "select", "output"},
    "ledger": {"measure", "select", "output"},
    "peers": {"measure", "select", "output"},
}
ONLY_IN = {  # a package, and the rooms that alone may import it
    "optax": {"training"},
    "tensorflow_datasets": {"data"},
    "orbax": {"runs"},
    "flax": {"layers", "models", "families"},
}


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


def arrows(package: Path) -> dict[str, set[str]]:
    """From each part of a package (a room, or a module at its top) to those that it imports."""
    found: dict[str, set[str]] = {}
    for path in package.rglob("*.py"):
        own = path.relative_to(package).parts[0].removesuffix(".py")
        parts = {
            name.split(".")[1]
            for name in imports(path)
            if name.startswith(f"{package.name}.") and name.count(".")
        }
        there = {
            part for part in parts if (package / part).is_dir() or (package / f"{part}.py").exists()
        }
        found[own] = found.get(own, set()) | (there - {own})
    return found


def test_a_room_imports_only_the_rooms_beneath_it():
    for room, reached in arrows(PACKAGE).items():
        if room in TOP or room in SHARED:
            continue
        assert room in ROOMS, f"jaxgen/{room} is new: say in this table what it may import"
        assert reached - SHARED <= ROOMS[room], (room, reached - SHARED - ROOMS[room])
    assert set(ROOMS) <= set(arrows(PACKAGE)), "a room of the table is gone"


def test_shapes_are_checked_in_every_room_whose_signatures_have_them(request):
    checked = request.config.getini("addopts")[-1].removeprefix("--jaxtyping-packages=").split(",")
    with_shapes = {
        path.relative_to(PACKAGE).parts[0]
        for path in files()
        if any(name.startswith("jaxtyping") for name in imports(path))
    }
    assert {f"jaxgen.{room}" for room in with_shapes} | {"beartype.beartype"} == set(checked)


def test_the_shared_modules_import_nothing_of_ours():
    for module in SHARED:
        assert not {name for name in imports(PACKAGE / f"{module}.py") if name.startswith("jaxgen")}


@pytest.mark.parametrize("package", ["jaxgen", "benchmarks"])
def test_there_are_no_circles(package):
    graph = arrows(ROOT / package)
    graph.pop("__init__", None)  # the public interface leads everywhere, lazily
    while leaves := {part for part, reached in graph.items() if not reached & set(graph)}:
        for part in leaves:
            del graph[part]
    assert not graph, graph


def test_benchmarks_import_beneath_themselves():
    for room, reached in arrows(ROOT / "benchmarks").items():
        if room in BENCHMARKS:
            assert reached <= BENCHMARKS[room], (room, reached)


def test_a_model_knows_no_other_and_a_family_no_other_family_s_wiring():
    for path in files():
        room, *rest = path.relative_to(PACKAGE).parts
        for name in imports(path):
            parts = name.split(".")
            if parts[0] != "jaxgen" or len(parts) < 4 or parts[1] != room or len(rest) < 2:
                continue
            if room == "models" and parts[2] != "base":
                assert parts[2] == rest[0], (path, name)
            if room == "families" and parts[3] == "family" and parts[2] != "base":
                assert parts[2] == rest[0], (path, name)


@pytest.mark.parametrize("package", ONLY_IN)
def test_packages_are_imported_only_where_they_belong(package):
    users = {
        path.relative_to(PACKAGE).parts[0]
        for path in files()
        if any(name.split(".")[0] == package for name in imports(path))
    }
    assert users <= ONLY_IN[package]
    assert users, f"nothing imports {package}: remove it from the dependencies"


def test_only_devices_names_devices():
    words = ("pmap(", "shard_map(", "NamedSharding", "device_put", "make_mesh", "jax.devices(")
    for path in files():
        # The counter enters those primitives, the book prints the device's name, and attention's kernel
        # has to be told how its heads are split over whatever mesh there is.
        if path.relative_to(PACKAGE).parts[0] in ("devices", "costs", "book"):
            continue
        if path.name == "attention_form.py":
            continue
        code = "\n".join(line for line in path.read_text().splitlines() if "import" not in line)
        assert not [word for word in words if word in code], path


def needs_no_jax(path: Path) -> bool:
    room, name = path.parts[0], path.name
    if room in ("families", "models"):
        return name in ("config.py", "costs.py", "family.py", "base.py", "sampling.py") and (
            name != "sampling.py" or len(path.parts) == 2
        )
    if room == "costs":
        return path.parts[1] != "walk"
    return room in ("experiments", "data", "cli") and name != "tfds_digits.py"


def test_help_and_costs_need_no_jax():
    """What the command line shows before it computes must not wait for jax to be imported."""
    modules = [
        ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts)
        for path in files()
        if needs_no_jax(path.relative_to(PACKAGE))
    ]
    code = (
        "import importlib, sys\n"
        f"for name in {[*modules, 'jaxgen']!r}: importlib.import_module(name)\n"
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
    """No pickle or the like, no eval; processes are started for a job alone."""
    for path in files():
        names = {name.split(".")[0] for name in imports(path)}
        assert not names & set(UNSAFE), path
        assert "subprocess" not in names or path == PACKAGE / "devices/job.py", path
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.Call):
                continue
            called = ast.unparse(node.func)
            assert called not in ("eval", "exec", "os.system", "os.popen"), path
            if called in ("np.load", "numpy.load"):
                assert "allow_pickle=False" in ast.unparse(node), path
