"""`motley new`: a working file to begin a plug-in from."""

from __future__ import annotations

import ast
import builtins
import keyword
import re
import sys
from collections.abc import Collection, Mapping
from importlib.machinery import PathFinder
from pathlib import Path
from string import Template
from typing import Any

from motley.agents.areas import AREAS
from motley.agents.blueprints import BLUEPRINTS, WORDS, assemble
from motley.agents.brain import TAKEN
from motley.costs import COST_SETS, COSTS, sets
from motley.envs import TASKS
from motley.envs.senses import BODY
from motley.scripts.flags import Kind, New
from motley.scripts.study import SHIPPED
from motley.studies.config import ConfigError

TEMPLATES = Path(__file__).parent / "templates"
NAMES: dict[Kind, str] = {"task": "Feeders", "area": "Leaky", "cost": "Calm", "study": "Bends"}
"""The default name of each kind."""
NEXT: dict[Kind, str] = {
    "task": "motley train --import {module} --task {name} --structure uniform --costs reward",
    "area": "motley train --import {module} --structure {module} --costs reward",
    "cost": "motley train --import {module} --costs reward+{module}",
    "study": "motley study tune {module} --import {module}, then the same with run",
}
"""What to do with the file."""


def main(args: New) -> None:
    """Write the file and say how to go on.

    Raises:
        ConfigError: the name cannot be a class's, or is taken, or the file exists.
    """
    name = args.name or NAMES[args.kind]
    module = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()
    words = {name, module}
    if not re.fullmatch(r"[A-Z][A-Za-z0-9]*", name) or any(map(keyword.iskeyword, words)):
        raise ConfigError(
            f"{name!r} cannot be the name: begin with a capital and use letters and digits, "
            f"no word of Python's own, such as {NAMES[args.kind]}"
        )
    here = {str(Path.cwd()), ""}
    elsewhere = [folder for folder in sys.path if folder not in here]
    if module in sys.stdlib_module_names or PathFinder.find_spec(module, elsewhere):
        raise ConfigError(f"there is a module {module} already: choose another name")
    for meaning, names in taken(args.kind).items():
        for word in sorted(words & set(names)):
            raise ConfigError(f"{word!r} is {meaning} already: choose another name than {name}")
    path = Path(f"{module}.py")
    template = Template((TEMPLATES / f"{args.kind}.txt").read_text())
    text = template.substitute(Name=name, module=module, MODULE=module.upper())
    nodes = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.alias)]
    if {*words, module.upper()} & {node.asname or node.name for node in nodes}:
        raise ConfigError(f"the file itself uses the name {name}: choose another name")
    try:
        with path.open("x") as file:
            file.write(text)
    except FileExistsError as error:
        raise ConfigError(f"{path} exists already: choose another name, or move it away") from error
    print(f"wrote {path}; it works as it is: {NEXT[args.kind].format(module=module, name=name)}")


def taken(kind: Kind) -> dict[str, Collection[str]]:
    """Return what nothing new of this kind can be called, by what such a name is already."""

    def shipped(known: Mapping[str, Any]) -> list[str]:  # a user's own may be written anew
        return [name for name, v in known.items() if v.__module__.startswith("motley.")]

    senses = {sense.name: sense.size for sense in BODY}
    blueprints = shipped(BLUEPRINTS)
    # A trace has senses, areas and what costs note by name, and a routing costs beside areas.
    shared: dict[str, Collection[str]] = {
        "a sense": senses,
        "an area": shipped(AREAS),
        "a cost": shipped(COSTS),
        "a set of costs": shipped(COST_SETS),
    }
    by_kind: dict[Kind, dict[str, Collection[str]]] = {
        "task": {"a task": shipped(TASKS)},
        "area": {
            **shared,
            "a structure": (*WORDS, *blueprints),
            "an area of every structure": assemble(senses, {}),
            "a name of Motley's or torch's own": TAKEN,
            "a name of Python's own": dir(builtins),
        },
        "cost": {
            **shared,
            "an area of a structure": {area for b in blueprints for area in BLUEPRINTS[b](senses)},
            "a name of torch's own": sets.TAKEN,
        },
        "study": {"a study": [study.name for study in SHIPPED]},
    }
    return by_kind[kind]
