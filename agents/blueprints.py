"""Blueprints: which areas, wired how. A dict of areas, in the order data flows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from motley.agents.areas import (
    AREAS,
    GRU,
    Actor,
    Area,
    EpisodicMemory,
    PathIntegrator,
    Perceptron,
    VisualSearch,
)
from motley.costs.registry import Registry

WIDTH = "width"
"""Stands in an option for the width that is solved for to meet the parameter budget."""


@dataclass(frozen=True)
class Node:
    """One area of a blueprint.

    Attributes:
        area: its class, registered in ``motley.agents.areas.AREAS``.
        inputs: senses, ``previous_action`` and earlier areas, by name.
        role: what routing calls it: encoder, core, memory, integrator, readout, actor, critic.
        options: keyword arguments of the class; :data:`WIDTH` where the width goes.
    """

    area: type[Area]
    inputs: tuple[str, ...]
    role: str
    options: Mapping[str, Any] = field(default_factory=dict)

    def options_at(self, width: int) -> dict[str, Any]:
        """Return the options with the width filled in."""
        return {k: width if v == WIDTH else v for k, v in self.options.items()}


class Blueprint(Mapping[str, Node]):
    """Areas by name, in the order data flows; one has the role actor, one the role critic.

    Args:
        areas: the areas.
        name: what it is called in logs and files.
    """

    def __init__(self, areas: Mapping[str, Node], name: str = "custom"):
        self.areas, self.name = dict(areas), name
        for role in ("actor", "critic"):
            count = sum(node.role == role for node in self.areas.values())
            if count != 1:
                raise ValueError(f"blueprint {name!r} has {count} areas of role {role!r}, not one")

    def __getitem__(self, name: str) -> Node:
        return self.areas[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.areas)

    def __len__(self) -> int:
        return len(self.areas)

    @property
    def roles(self) -> dict[str, str]:
        """The first area of each role."""
        roles: dict[str, str] = {}
        for name, node in self.areas.items():
            roles.setdefault(node.role, name)
        return roles

    def to_json(self) -> dict[str, Any]:
        """Return the blueprint as JSON values; the inverse of :meth:`from_json`."""
        areas = {
            name: {
                "area": node.area.__name__,
                "inputs": list(node.inputs),
                "role": node.role,
                "options": dict(node.options),
            }
            for name, node in self.areas.items()
        }
        return {"name": self.name, "areas": areas}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Blueprint:
        """Build from :meth:`to_json`'s values; area classes are looked up by name.

        Raises:
            ValueError: an area's class is not registered.
        """
        nodes = {
            name: Node(
                AREAS[entry["area"]],
                tuple(entry["inputs"]),
                entry["role"],
                _tuples(entry["options"]),
            )
            for name, entry in data["areas"].items()
        }
        return cls(nodes, data["name"])


def _tuples(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return options with lists as tuples, which JSON does not tell apart."""
    return {k: tuple(v) if isinstance(v, list) else v for k, v in options.items()}


Sizes = Mapping[str, int]
Builder = Callable[[Sizes], Blueprint]

BLUEPRINTS: Registry[Builder] = Registry("structure")
"""Structures by name: each a function from the senses' sizes to a blueprint."""

PROBLEMS = {
    "path integration": "path_integration",
    "episodic memory": "episodic_memory",
}
"""The structure matched to each problem that a task can pose."""

MISMATCHED = {
    "path integration": "episodic_memory",
    "episodic memory": "path_integration",
}
"""The structure of another problem, the control of each."""


def assemble(
    senses: Sizes, modules: Mapping[str, Node], name: str, *, core: type[Area] = GRU
) -> Blueprint:
    """Wire modules into the common frame: encoder, core, visual search, actor and critic.

    The core gets every sense, the encoded vision, the previous action and each module's output;
    modules feed the search and the heads as well. The core's width is solved for, so that
    structures have equally many parameters.

    Args:
        senses: size of each sense.
        modules: what is particular to this structure.
        name: of the structure.
        core: class of the core.
    """
    extra = tuple(modules)
    if "vision" in senses:
        others = tuple(s for s in senses if s != "vision")
        areas = {"encoder": Node(Perceptron, ("vision",), "encoder", {"size": 64})}
        inputs = ("encoder", *others, "previous_action", *extra)
        read = ("core", *extra)
        readout = {"search": Node(VisualSearch, (*read, "vision"), "readout")}
        heads = (*read, "search", "encoder")
    else:
        areas = {"encoder": Node(Perceptron, tuple(senses), "encoder", {"size": 64})}
        inputs = ("encoder", "previous_action", *extra)
        readout, heads = {}, ("core", *extra)
    areas |= modules
    areas["core"] = Node(core, inputs, "core", {"size": WIDTH})
    areas |= readout
    areas["actor"] = Node(Actor, heads, "actor")
    areas["critic"] = Node(Perceptron, heads, "critic", {"size": 64})
    return Blueprint(areas, name)


def uniform(senses: Sizes) -> Blueprint:
    """One generic recurrent core and nothing else."""
    return assemble(senses, {}, "uniform")


def path_integration(senses: Sizes, prior: str = "learnt") -> Blueprint:
    """A path integrator beside the core; ``prior`` is its rung."""
    require(senses, ("egomotion",), "path_integration")
    node = Node(PathIntegrator, ("egomotion",), "integrator", {"prior": prior})
    return assemble(senses, {"integrator": node}, _named("path_integration", prior, "learnt"))


def episodic_memory(senses: Sizes, prior: str = "learnt_value") -> Blueprint:
    """An episodic memory of what was seen with each cue; ``prior`` is its rung."""
    require(senses, ("cue", "vision"), "episodic_memory")
    inputs = ("cue", "vision", "go") if "go" in senses else ("cue", "vision")
    capacity = 64 if prior == "learnt_gate" else 32
    node = Node(EpisodicMemory, inputs, "memory", {"prior": prior, "capacity": capacity})
    return assemble(senses, {"memory": node}, _named("episodic_memory", prior, "learnt_value"))


def feedforward(senses: Sizes) -> Blueprint:
    """No memory: separate policy and value networks of two tanh layers of 64, as in SB3's PPO."""
    layers = {"size": 64, "depth": 2}
    return Blueprint(
        {
            "actor": Node(Actor, tuple(senses), "actor", {"hidden": (64, 64)}),
            "critic": Node(Perceptron, tuple(senses), "critic", layers),
        },
        "feedforward",
    )


def _named(structure: str, prior: str, default: str) -> str:
    return structure if prior == default else f"{structure}.{prior}"


def require(senses: Sizes, needed: tuple[str, ...], structure: str) -> None:
    """Raise where a structure lacks a sense.

    Raises:
        ValueError: names the structure, the sense, and the senses there are.
    """
    for sense in needed:
        if sense not in senses:
            raise ValueError(
                f"structure {structure!r} needs the sense {sense!r}; "
                f"this environment has {', '.join(senses)}"
            )


def _rung(build: Callable[..., Blueprint], prior: str) -> Builder:
    return lambda senses: build(senses, prior=prior)


BLUEPRINTS["uniform"] = uniform
BLUEPRINTS["feedforward"] = feedforward
BLUEPRINTS["path_integration"] = path_integration
for _prior in ("exact", "noisy"):
    BLUEPRINTS[f"path_integration.{_prior}"] = _rung(path_integration, _prior)
BLUEPRINTS["episodic_memory"] = episodic_memory
for _prior in ("exact", "learnt_key", "learnt_gate"):
    BLUEPRINTS[f"episodic_memory.{_prior}"] = _rung(episodic_memory, _prior)


def structure(name: str, senses: Sizes, problem: str | None = None) -> Blueprint:
    """Return the blueprint called ``name`` for these senses.

    Args:
        name: a name in :data:`BLUEPRINTS`, or ``matched`` or ``mismatched``, which depend on the
            task's problem; ``matched.exact`` names a rung.
        senses: size of each sense.
        problem: what the task poses; None where the environment does not say.

    Raises:
        ValueError: no such structure, or none is matched to the problem.
    """
    word, _, prior = name.partition(".")
    if word in ("matched", "mismatched"):
        table = PROBLEMS if word == "matched" else MISMATCHED
        if problem not in table:
            raise ValueError(
                f"structure {name!r} depends on the problem that the task poses, and "
                + ("this environment states none" if problem is None else f"{problem!r} has none")
                + f"; give one of: {', '.join(BLUEPRINTS)}"
            )
        name = table[problem] + (f".{prior}" if prior else "")
    return BLUEPRINTS[name](senses)
