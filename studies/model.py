"""The agent of a run folder: loaded where it is the folder's, refused where it is another run's.

It is held against what the configuration states: settings that were left out there, and the
learning rate, which falls while an agent learns, are not compared. Of others' environments an
agent's file does not say the id: there an agent of another one passes that has as many parameters,
the same seed and settings.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from gymnasium import Space

from motley.agents import Agent, spaces, storage
from motley.agents.blueprints import structure
from motley.agents.worlds import as_json
from motley.costs import Cost, cost_set, sets
from motley.costs.controls import retimed
from motley.costs.development import Development
from motley.envs.senses import observation_space
from motley.studies.config import TRAINING, RunConfig, read_config, stream
from motley.studies.folder import FolderError, read_json
from motley.studies.peers import PEERS


def open_run(folder: Path) -> tuple[RunConfig, Agent]:
    """The configuration and the agent of a run folder.

    Raises:
        FolderError: it is no run folder, a peer's, has no model or a broken one, or has that of
            another run.
    """
    if not (folder / "config.json").exists():
        inside = sorted(str(p.parent) for p in folder.glob("**/config.json"))[:5]
        hint = f"; runs below it: {', '.join(inside)}" if inside else ""
        missing = "does not exist" if not folder.exists() else "is no run folder (no config.json)"
        if any((folder / name).exists() for name in ("model.zip", "checkpoint.json", "eval.csv")):
            raise FolderError(
                f"{folder} has lost its config.json, without which nobody knows what was run: put "
                f"it back, or train anew in another folder"
            )
        raise FolderError(f"{folder} {missing}{hint}. Make one: motley train --out {folder}")
    config = RunConfig.from_json(read_config(folder))
    model = folder / "model.zip"
    if config.structure in PEERS:
        raise FolderError(
            f"{folder} is a run of {config.structure}, of which curves alone are kept, and no "
            f"agent to watch or evaluate; see them with: motley report {folder}"
        )
    if not model.exists():
        raise FolderError(
            f"{folder} has no model (model.zip); go on with it: motley train --resume --out "
            f"{folder}"
        )
    try:
        refuse_foreign(config, folder, model)
        return config, Agent.load(model)
    except storage.BrokenFileError as error:
        raise FolderError(
            f"{error}: take it away, and it is written anew from the last checkpoint by: "
            f"motley train --resume --out {folder}"
        ) from error


def refuse_foreign(config: RunConfig, folder: Path, file: Path) -> None:
    """Refuse a saved agent or a checkpoint that lies in a run folder and is of another run.

    Args:
        config: the folder's.
        folder: of the run.
        file: in it.

    Raises:
        FolderError: names the settings that differ.
    """
    facts = storage.read_facts(file)
    found = [*_differences(config, facts)]
    # The parameter budget is not in the file, what it comes to is; other areas change it too.
    size = read_json(folder / "versions.json").get("n_parameters")
    if not found and size is not None and facts["n_parameters"] != size:
        found = [f"budget ({facts['n_parameters']:,} parameters, not {size:,})"]
    if found:
        raise FolderError(
            f"{file} is of another run than its folder: it differs in {', '.join(found)}; put the "
            f"run's own file back, or train anew in another folder"
        )


def _differences(config: RunConfig, facts: Mapping[str, Any]) -> Iterator[str]:
    """Give the settings that differ, with what the file has and what is due if both are words.

    Structure and costs are held against each other by their names and switches alone, since a
    newer Motley may give them other constants. Seeds are told by name only: an agent's is derived
    from the run's.
    """
    due = _due(config, facts)
    found = {"structure": facts["blueprint"]["name"], "seed": facts["seed"]}
    found |= {"costs": _named(sets.from_json(facts["costs"])), "n_envs": facts["n_envs"]}
    found |= {name: facts[name] for name in ("development", "n_steps", "clip_range", "width")}
    found |= {**_place(facts["task"]), **facts["settings"]}
    if found["task"] != due["task"]:
        del due["variant"]  # another task has others
    for name, value in due.items():
        there = found[name]
        if there == value or (name == "costs" and set(there) == set(value)):
            continue
        told = name != "seed" and not {type(there), type(value)} & {dict, list, type(None)}
        yield f"{name} ({there}, not {value})" if told else name


def _place(task: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return task, level, ood and variant as flags name them, from `as_json`; None are others'."""
    if task is None:
        return {"task": "another environment", "level": None, "ood": False, "variant": {}}
    return {"task": task["name"], **{name: task[name] for name in ("level", "ood", "variant")}}


def _due(config: RunConfig, facts: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the file of a run of this configuration says, as far as the latter tells."""
    due: dict[str, Any] = {"seed": stream(config, TRAINING), "n_envs": config.n_envs}
    due |= {"routing": config.routing, "credit": config.credit}
    held = (*facts["settings"], "n_steps", "clip_range")
    due |= {name: value for name, value in config.agent.items() if name in held}
    if config.agent.get("budget", "") is None and "width" in config.agent:
        due["width"] = config.agent["width"]
    development = Development.from_json(config.agent.get("development") or {})
    timed = retimed(development, config.time, config.steps, config.seed)
    due["development"] = json.loads(json.dumps(timed.to_json()))
    if config.ours is None:
        problem, delay = None, 0
        space: Space[Any] = spaces.from_json(facts["observation_space"])
        due |= _place(None)
    else:
        task = config.rules()
        problem, delay = task.problem, getattr(task, "delay", 0)
        space = observation_space(task.senses)
        due |= _place(as_json(task))
    senses = spaces.Senses(space).sizes
    due["structure"] = structure(config.structure, senses, problem).name
    due["costs"] = _named(cost_set(config.costs, senses, problem, delay))
    return due


def _named(costs: Iterable[Cost]) -> list[str]:
    """Return each cost's class, name and switches that are on, as in ``rnd meaningless``."""
    found = []
    for cost in costs:
        switches = (f.name for f in fields(cost) if getattr(cost, f.name) is True)
        found.append(" ".join(dict.fromkeys((cost.label(), cost.name, *switches))))
    return found
