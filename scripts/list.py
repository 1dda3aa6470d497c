"""`motley list`: what there is."""

from __future__ import annotations

import inspect
from typing import Any

from rich.console import Console
from rich.table import Table

from motley.agents.blueprints import BLUEPRINTS, PROBLEMS
from motley.agents.credit import CREDIT, TruncatedBackprop
from motley.costs.sets import COST_SETS, COSTS
from motley.envs import TASKS
from motley.scripts.flags import List
from motley.studies.config import as_word, import_plugins, variants


def main(args: List) -> None:
    """Print the tables."""
    import_plugins(args.imports)
    console = Console()
    tasks = {
        name: f"{about(task)} [dim]0 to {len(task.levels) - 1} ({task.default_level}), "
        f"{task.problem}: {PROBLEMS.get(task.problem, 'none yet')}"
        + "".join(
            f", --variant {' or '.join(as_word(setting, value) for value in values)}"
            for setting, values in variants(task).items()
        )
        for name, task in TASKS.items()
    }
    structures = {
        "matched": "the structure matched to the task's problem",
        "mismatched": "the structure of another problem: the control",
    }
    for name, builder in BLUEPRINTS.items():
        family, dot, variant = name.partition(".")
        if dot and family in structures:
            structures[family] += f" [dim].{variant}"
        else:
            structures[name] = about(builder)
    # What studies have for themselves is there once they are imported, and is not for others.
    sets = {n: s for n, s in COST_SETS.items() if not s.__module__.startswith("motley.studies.")}
    rules = {**CREDIT, "bptt_4 (or any number)": TruncatedBackprop}
    for title, entries in (
        ("Tasks (--task): levels (default), problem: the structure matched to it, variants", tasks),
        ("Structures (--structure), and their .variants", structures),
        ("Cost sets (--costs)", {name: about(built) for name, built in sets.items()}),
        ("Costs (--costs, joined by +)", {name: about(cost) for name, cost in COSTS.items()}),
        ("Credit rules (--credit)", {name: about(rule) for name, rule in rules.items()}),
    ):
        table = Table(title=title, title_justify="left", title_style="bold", show_header=False)
        table.box, table.pad_edge = None, False  # no rules: it is long enough
        for name, text in entries.items():
            table.add_row(f"[cyan]{name}", text)
        console.print(table, "")
    console.print("Any Gymnasium id is a task too: motley train --task CartPole-v1 ...")


def about(thing: Any) -> str:
    """The first paragraph of its docstring, on one line."""
    text = (inspect.getdoc(thing) or "").split("\n\n")[0]
    return " ".join(text.replace("``", "`").split())
