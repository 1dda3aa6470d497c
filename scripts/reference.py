"""The pages of what an agent is made of, from docstrings: docs/structures.md, areas.md, costs.md.

python -m motley.scripts.reference   # or `make docs`, which makes the tasks' pages as well
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import MISSING, dataclass, fields
from pathlib import Path
from typing import Any, TypeVar

import tyro

from motley.agents.areas import AREAS, Area
from motley.agents.blueprints import BLUEPRINTS, MISMATCHED, PROBLEMS, Blueprint
from motley.agents.credit import CREDIT
from motley.costs.base import EVERY, Cost
from motley.costs.sets import COST_SETS, COSTS
from motley.envs import TASKS

T = TypeVar("T")

ORDINARY = "DarkHome"
"""The task in which structures are shown that no problem is theirs."""
LISTS = ("Args", "Attributes")
"""Sections of a docstring that are lists of names."""
LEFT_OUT = ("Returns", "Raises")
"""Sections that tell who calls it, not who chooses it."""
SECTION = re.compile(rf"^({'|'.join((*LISTS, *LEFT_OUT))}):$", re.MULTILINE)
MADE = "Made by `make docs` from the docstrings.\n"


@dataclass(frozen=True)
class Reference:
    """Write docs/structures.md, docs/areas.md and docs/costs.md."""

    out: Path = Path("docs")
    """The folder."""


def main(args: Reference) -> None:
    """Write the pages."""
    args.out.mkdir(parents=True, exist_ok=True)
    for name, text in texts().items():
        (args.out / name).write_text(text)


def texts() -> dict[str, str]:
    """Every page's text by its file's name."""
    return {"structures.md": structures(), "areas.md": areas(), "costs.md": costs()}


def shipped(known: Mapping[str, T]) -> dict[str, T]:
    """Those of a registry that Motley ships, by name, without plug-ins and studies' own."""
    return {
        name: entry
        for name, entry in known.items()
        if re.match(r"motley\.(?!studies\.)", getattr(entry, "__module__", ""))
    }


def first(thing: Any) -> str:
    """The first paragraph of a docstring, on one line, as Markdown."""
    return prose(" ".join((inspect.getdoc(thing) or "").split("\n\n")[0].split()))


def prose(text: str) -> str:
    """Text of a docstring as Markdown: roles and double quotes become code."""
    text = re.sub(r":\w+:`~?(?:[\w.]*\.)?(\w+)`", r"`\1`", text.replace("``", "`"))
    return re.sub(r"`motley\.costs\.(\w+)`", r"`\1`", text)


def body(thing: Any) -> str:
    """A docstring as Markdown: its paragraphs, then what can be set, an entry a line."""
    doc = inspect.getdoc(thing) or ""
    head, *sections = SECTION.split(doc)
    parts = [prose(head).strip()]
    for title, text in zip(sections[::2], sections[1::2], strict=True):
        if title in LISTS:
            parts.append("\n".join(entries(text)))
    return "\n\n".join(part for part in parts if part)


def entries(text: str) -> Iterable[str]:
    """The entries ``name: text`` of a section, as a list in Markdown; names stand in bold."""
    whole: list[str] = []
    for line in inspect.cleandoc(text).splitlines():
        if line and not line.startswith(" "):
            whole.append(line)
        elif line.strip():
            whole[-1] += " " + line.strip()
    for entry in whole:
        # Several short ones may share a line of the docstring.
        yield "- " + re.sub(r"(?:(?<=\. )|^)([\w, ]{1,40}?):(?= )", r"**\1**:", prose(entry))


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A table in Markdown."""
    head = list(head)
    lines = ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows]
    return "\n".join(["| " + " | ".join(head) + " |", "|---" * len(head) + "|", *lines])


def structures() -> str:
    """The page of the structures: what each is made of, and how its areas are wired."""
    posed = {name: problem for problem, name in PROBLEMS.items()}
    tasks = {task.problem: name for name, task in TASKS.items()}
    families: dict[str, list[str]] = {}
    for name in shipped(BLUEPRINTS):
        families.setdefault(name.partition(".")[0], []).append(name)
    rows = [
        (f"[`{name}`](#{name})", posed.get(name, ""), tasks.get(posed.get(name, ""), ""),
         f"`{MISMATCHED[posed[name]]}`" if name in posed else "", first(BLUEPRINTS[name]))
        for name in families
    ]  # fmt: skip
    parts = [
        "# Structures",
        "`--structure NAME`; `matched` and `mismatched` stand for that of the task's problem and "
        "for its control. All but `feedforward` have equally many parameters, the core's width "
        "being solved for; names after a dot are variants, most of them rungs of prior strength. "
        "The areas are described in [areas.md](areas.md); a structure of your own: "
        "[plug-in-an-area.md](plug-in-an-area.md).",
        table(("structure", "problem", "task", "mismatched control", "what it is"), rows),
    ]
    for name, variants in families.items():
        task = TASKS[tasks.get(posed.get(name, ""), ORDINARY)]()
        sizes = {sense.name: sense.size for sense in task.senses}
        parts += [f"## {name}", body(BLUEPRINTS[name])]
        options = inspect.signature(BLUEPRINTS[name]).parameters
        if "prior" in options:
            parts.append(f"Without a suffix it is the rung `{options['prior'].default}`.")
        if variants[1:]:
            words = (f"- `{each}`: {said(BLUEPRINTS[each])}" for each in variants[1:])
            parts.append("\n".join(words))
        parts.append(f"In {type(task).__name__}:\n\n{wiring(BLUEPRINTS[name](sizes))}")
    return "\n\n".join([*parts, MADE])


def said(builder: Callable[..., Blueprint]) -> str:
    """What a variant is, beginning small."""
    text = first(builder)
    return text[:1].lower() + text[1:]


def wiring(blueprint: Blueprint) -> str:
    """The areas of a blueprint, in the order data flows."""
    rows = (
        (f"`{name}`", f"[{node.area.__name__}](areas.md#{node.area.__name__.lower()})", node.role,
         ", ".join(f"`{source}`" for source in node.inputs))
        for name, node in blueprint.items()
    )  # fmt: skip
    return table(("area", "class", "role", "reads"), rows)


def areas() -> str:
    """The page of the areas."""
    known = shipped(AREAS)
    parts = [
        "# Areas",
        "Torch modules over whole sequences, from `motley.agents.areas`; their first argument, "
        "`sizes`, is filled in by the brain from what a blueprint says that they read. Which "
        "structures they stand in: [structures.md](structures.md); one of your own: "
        "[plug-in-an-area.md](plug-in-an-area.md).",
        table(
            ("area", "what it is"),
            ((f"[`{name}`](#{name.lower()})", first(area)) for name, area in known.items()),
        ),
    ]
    for name, area in known.items():
        parts += [f"## {name}", f"`{call(area)}`", body(area)]
    return "\n\n".join([*parts, MADE])


def call(area: type[Area]) -> str:
    """How an area is made, with its defaults."""
    options = list(inspect.signature(area).parameters.values())
    words = (option(o.name, o.default) for o in options)
    return f"{area.__name__}({', '.join(words)})"


def costs() -> str:
    """The page of the costs and of the sets and credit rules."""
    known = shipped(COSTS)
    rows = [
        (f"[`{name}`](#{name})", kind(cost), ", ".join(belongs(cost)), first(cost))
        for name, cost in known.items()
    ]
    parts = [
        "# Costs",
        "`--costs NAME`, joined by `+`; a cost (not a set) may have its weight, `reward+rnd=0.1`; "
        'in Python the class, with its options: `Agent("matched", "DarkHome", ["reward", '
        "RND(weight=0.1)])`. A score is a reward a step, with a critic of its own; a loss is "
        'minimised by gradient. `trains` says which areas, by role: `"integrator|core"` is the '
        "integrator, or the core where there is none. One of your own: "
        "[plug-in-a-cost.md](plug-in-a-cost.md); novelty and learning progress: "
        "[novelty.md](novelty.md).",
        "## Sets",
        table(
            ("set", "what it is"),
            ((f"`{name}`", first(built)) for name, built in shipped(COST_SETS).items()),
        ),
        "## All costs",
        table(("cost", "gives", "in `heterogeneous` of", "what it is"), rows),
    ]
    for name, cost in known.items():
        parts += [f"## {name}", f"`{made(cost)}`", body(cost)]
    rules = ((f"`{name}`", first(rule)) for name, rule in shipped(CREDIT).items())
    parts += ["# Credit rules", "`--credit NAME`.", table(("rule", "what it is"), rules)]
    return "\n\n".join([*parts, MADE])


def kind(cost: type[Cost]) -> str:
    """What a cost gives: a score, a loss, or both."""
    gives = {"score": cost.score is not Cost.score, "loss": cost.loss is not Cost.loss}
    return " and ".join(name for name, given in gives.items() if given) or "its own"


def belongs(cost: type[Cost]) -> list[str]:
    """The problems whose heterogeneous set a cost is in."""
    return ["every problem"] if EVERY in cost.problems else list(cost.problems)


def made(cost: type[Cost]) -> str:
    """How a cost is made: its own options first, then what all have, where it is not as usual."""
    usual = {f.name: f.default for f in fields(Cost)}
    own = [f for f in fields(cost) if f.name not in usual]
    set_apart = [f for f in fields(cost) if f.name in usual and f.default != usual[f.name]]
    return f"{cost.__name__}({', '.join(option(f.name, f.default) for f in (*own, *set_apart))})"


def option(name: str, default: Any) -> str:
    """An option as it stands in a signature, with its default if it has one."""
    if default in (inspect.Parameter.empty, MISSING):
        return name
    return f"{name}={getattr(default, '__name__', None) or repr(default)}"


if __name__ == "__main__":
    main(tyro.cli(Reference, description=inspect.getdoc(Reference)))
