"""docs/data.md has every source, with a command of an experiment that takes it."""

import re
from pathlib import Path

from jaxgen.data.sources import find_kind, kind_names
from jaxgen.experiments.registry import find_preset

PAGE = Path(__file__).parents[2] / "docs" / "data.md"
HEADINGS = {
    "images": "Images",
    "text": "Text",
    "points": "Points",
    "audio": "Sound",
    "captions": "Captions",
}


def test_every_source_has_a_row_with_an_example_that_is_of_its_kind():
    parts = dict(re.findall(r"^## (\w+)\n(.*?)(?=^## |\Z)", PAGE.read_text(), re.M | re.S))
    for kind in kind_names():
        sources = find_kind(kind).sources
        if not sources:
            continue
        rows = [re.split(r"(?<!\\) \| ", line.strip("| ")) for line in parts[HEADINGS[kind]].splitlines()
                if line.startswith("| `")]  # fmt: skip
        forms = {f"{name}:{each.argument}".rstrip(":") for name, each in sources.items()}
        assert {source.strip("`") for source, _, _ in rows} == forms
        for source, _, example in rows:
            words = example.strip("` ").split()
            preset = find_preset(words[2]).experiment
            named = (
                words[words.index("--data") + 1].strip("'") if "--data" in words else preset.data
            )
            assert preset.kind == kind
            assert named.partition(":")[0] == source.strip("`").partition(":")[0]
