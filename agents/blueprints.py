"""Blueprints: which areas, wired how. Areas by name, in the order data flows.

A structure is a function from the senses' sizes to a blueprint, known by name: one file in
``motley/agents/structures/``, which calls :func:`register`, and a line in its ``__init__``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import wraps
from typing import Any

from motley.agents.areas import AREAS, GRU, Actor, Area, Convolution, Perceptron, VisualSearch
from motley.agents.spaces import images_of
from motley.costs.registry import Registry, unknown

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

    @property
    def choices(self) -> int:
        """Between how many actions the actor chooses that other areas prefer; 0: it does not."""
        node = self.areas[self.roles["actor"]]
        return node.area.choices(len(node.inputs)) if issubclass(node.area, Actor) else 0

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

PROBLEMS: Registry[str] = Registry("problem")
"""The structure matched to each problem that a task can pose."""

MISMATCHED: Registry[str] = Registry("problem")
"""The control of each problem: the structure of another one, or a scrambled form of its own."""

WORDS = ("matched", "mismatched")
"""What stands for the structures of the problem that a task poses."""


def register(
    build: Callable[..., Blueprint],
    variants: Mapping[str, Mapping[str, Any]] | None = None,
    *,
    problem: str | None = None,
    mismatched: str | None = None,
) -> None:
    """Make a structure known by its function's name, and its variants by that and their own.

    ``register(tunnel, priors("exact"), problem="digging", mismatched="episodic_memory")`` makes
    ``tunnel`` and ``tunnel.exact``, of which ``tunnel`` is what ``matched`` means in a task
    that poses ``digging``, and ``tunnel.exact`` what ``matched.exact`` means.

    Args:
        build: from the senses' sizes, and the variants' keyword arguments, to a blueprint.
        variants: the arguments of each variant, by its name; without any, the default is built.
        problem: what the structure is matched to.
        mismatched: the control's name; it may be registered later.

    Raises:
        ValueError: a name is taken, or only one of problem and control is given.
    """
    name = build.__name__
    if name in WORDS:
        raise ValueError(f"{name!r} stands for the structure of each task: rename the function")
    if (problem is None) != (mismatched is None):
        raise ValueError(f"structure {name!r}: give both its problem and its mismatched control")
    BLUEPRINTS[name] = _builder(build, name, {})
    for variant, options in (variants or {}).items():
        BLUEPRINTS[f"{name}.{variant}"] = _builder(build, f"{name}.{variant}", options)
    if problem is not None and mismatched is not None:
        PROBLEMS[problem], MISMATCHED[problem] = name, mismatched


def _builder(build: Callable[..., Blueprint], name: str, options: Mapping[str, Any]) -> Builder:
    @wraps(build)
    def built(senses: Sizes) -> Blueprint:
        return Blueprint(build(senses, **options).areas, name)

    if options:
        words = (
            k.replace("_", " ") + ("" if v is True else f" {getattr(v, '__name__', v)}")
            for k, v in options.items()
        )
        built.__doc__ = f"The same with {', '.join(words)}."
    return built


def priors(*names: str) -> dict[str, dict[str, Any]]:
    """Return variants of these rungs of prior strength, for :func:`register`."""
    return {name: {"prior": name} for name in names}


def assemble(senses: Sizes, modules: Mapping[str, Node], *, core: type[Area] = GRU) -> Blueprint:
    """Wire modules into the common frame: encoder, core, visual search, actor and critic.

    The core gets every sense, the encoded vision, the previous action and each module's output;
    images have encoders of their own; without ``vision``, the other senses share one. Modules
    feed the search and the heads as well. The core's width is solved for, so that
    structures have equally many parameters.

    Args:
        senses: size of each sense.
        modules: what is particular to this structure.
        core: class of the core.
    """
    extra = tuple(modules)
    images = image_encoders(senses)
    plain = tuple(name for name in senses if name not in images)
    areas = {f"{name}_encoder": node for name, node in images.items()}
    seen = tuple(areas)
    if "vision" in plain:
        areas["encoder"] = Node(Perceptron, ("vision",), "encoder", {"size": 64})
        others = tuple(s for s in plain if s != "vision")
        inputs = ("encoder", *seen, *others, "previous_action", *extra)
        read = ("core", *extra)
        readout = {"search": Node(VisualSearch, (*read, "vision"), "readout")}
        heads = (*read, "search", "encoder")
    else:
        if plain:
            areas["encoder"] = Node(Perceptron, plain, "encoder", {"size": 64})
        inputs = (*areas, "previous_action", *extra)
        readout, heads = {}, ("core", *extra)
    areas |= modules
    areas["core"] = Node(core, inputs, "core", {"size": WIDTH})
    areas |= readout
    areas["actor"] = Node(Actor, heads, "actor")
    areas["critic"] = Node(Perceptron, heads, "critic", {"size": 64})
    return Blueprint(areas)


def image_encoders(senses: Sizes) -> dict[str, Node]:
    """Return an encoder for each sense that is an image, by the sense's name."""
    return {
        name: Node(Convolution, (name,), "encoder", {"shape": shape})
        for name, shape in images_of(senses).items()
    }


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


def structure(name: str, senses: Sizes, problem: str | None = None) -> Blueprint:
    """Return the blueprint called ``name`` for these senses.

    Args:
        name: a name in :data:`BLUEPRINTS`, or ``matched`` or ``mismatched``, which depend on the
            task's problem; ``matched.exact`` names a variant.
        senses: size of each sense.
        problem: what the task poses; None where the environment does not say.

    Raises:
        ValueError: no such structure, or none is matched to the problem.
    """
    word, _, variant = name.partition(".")
    if word in WORDS:
        table = PROBLEMS if word == "matched" else MISMATCHED
        if problem is None or problem not in table:
            why = f"no structure is {word} to {problem!r}"
            if problem is None:
                why = "this environment states none"
            raise ValueError(
                f"structure {name!r} depends on the problem that the task poses, and {why}; name "
                f"one, such as 'uniform'"
            )
        if table[problem] not in BLUEPRINTS:
            raise ValueError(
                f"the {word} structure of {problem!r} is {table[problem]!r}, which nothing has "
                f"registered; name another, such as 'uniform'"
            )
        name = table[problem] + (f".{variant}" if variant else "")
    if name not in BLUEPRINTS:
        raise ValueError(unknown("structure", name, (*WORDS, *BLUEPRINTS)))
    return BLUEPRINTS[name](senses)
