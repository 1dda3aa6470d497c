"""`motley new`: a working file to begin a plug-in from."""

from __future__ import annotations

import ast
import builtins
import keyword
import re
import sys
from collections.abc import Mapping
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
from motley.studies.study import Study

TEMPLATES = Path(__file__).parent / "templates"
NAMES: dict[Kind, str] = {"task": "Feeders", "area": "Leaky", "cost": "Calm", "study": "Bends"}
"""The default name of each kind."""
NEXT: dict[Kind, str] = {
    "task": "motley train --import {module} --task {name} --structure uniform --costs reward",
    "area": "motley train --import {module} --structure {module} --costs reward",
    "cost": "motley train --import {module} --costs reward+{module}",
    "study": "motley study run {module} --import {module}",
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
    known: dict[Kind, Mapping[str, Any]] = {
        "task": TASKS,
        "area": {**AREAS, **BLUEPRINTS},
        "cost": {**COSTS, **COST_SETS},
        "study": {study.name: Study for study in SHIPPED},
    }
    ours = {k for k, v in known[args.kind].items() if v.__module__.startswith("motley.")}
    if args.kind == "area":  # its file has a structure, in which the area stands among others
        senses = {sense.name: sense.size for sense in BODY}
        ours |= {*WORDS, *TAKEN, *dir(builtins), *senses, *assemble(senses, {})}
    if args.kind == "cost":
        ours |= sets.TAKEN
    if ours & words:
        raise ConfigError(
            f"{name} means something in Motley or Python already: choose another name"
        )
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
