"""`motley train`: one run."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from motley.scripts.flags import Train
from motley.scripts.progress import Display, outcome
from motley.studies.config import (
    ConfigError,
    RunConfig,
    as_word,
    import_plugins,
    plain,
    read_variant,
)
from motley.studies.folder import read_json
from motley.studies.listener import Listener
from motley.studies.run import InterruptedRunError, run
from motley.studies.track import Tracker
from motley.studies.video import film


def settle(args: Train, read: Callable[[Any], Train]) -> Train:
    """With --resume, what the folder was begun with is the default of every flag."""
    import_plugins(args.imports)
    out = place(args)
    if not args.resume:
        return replace(args, out=out)
    if not (out / "config.json").exists():
        raise ConfigError(
            f"{out} holds no run to go on with: leave --resume out to begin one there, or name the "
            f"folder of a run with --out"
        )
    stored = read_json(out / "config.json")
    stored["imports"] = tuple(stored["imports"])
    stored["settings"] = tuple(f"{k}={json.dumps(v)}" for k, v in stored.pop("agent").items())
    stored["variant"] = tuple(as_word(k, v) for k, v in stored.get("variant", {}).items())
    known = {f.name for f in fields(Train)}
    default = Train(out=out, **{k: v for k, v in stored.items() if k in known})
    again = read(default)
    # What is given is appended to what was stored. Of a setting the last counts, and two
    # equal ones are left as they are; a module would stand twice in the configuration, and a
    # variant would have two values.
    given = again.variant[len(default.variant) :]
    names = {word.partition("=")[0] for word in given}
    kept = (word for word in default.variant if word.partition("=")[0] not in names)
    imports = tuple(dict.fromkeys(again.imports))
    return replace(again, out=out, imports=imports, variant=(*kept, *given))


def place(args: Train) -> Path:
    """The run folder; a variant has one, in whatever words it is given.

    Raises:
        ConfigError: the task has no such variant.
    """
    if args.out is not None:
        return args.out
    level = "" if args.level is None else f"-level{args.level}"
    config = RunConfig(args.task, variant=read_variant(args.task, args.variant))
    unusual = sorted(config.to_json().get("variant", {}).items())
    variant = "".join(f"-{as_word(*setting)}" for setting in unusual)
    name = f"{args.structure}-{args.costs}-{args.seed}"
    return Path("runs") / f"{plain(args.task)}{level}{variant}" / name


def main(args: Train) -> int:
    """Train; returns the exit code."""
    import_plugins(args.imports)
    out = place(args)
    config = configuration(args)
    listeners: list[Listener] = [Display()]
    tracker = None
    if args.track:
        tracker = Tracker()
        listeners.append(tracker)
    try:
        row = run(config, out, resume=args.resume, listeners=listeners)
        video = film(out) if args.capture_video or args.track else None
        if tracker is not None and video is not None:
            tracker.film(video)
    except InterruptedRunError as stop:
        print(stop)
        return 130
    finally:
        if tracker is not None:
            tracker.finish()
    print(
        f"{row['steps']:,.0f} steps: {outcome(row)}"
        f"\nsee it act: motley watch {out}\na page:     motley report {out}"
        + (f"\nvideo:      {video}" if video else "")
    )
    return 0


def configuration(args: Train) -> RunConfig:
    """The run that the flags ask for.

    Raises:
        ConfigError: a setting without a value, or a variant that the task has not.
    """
    agent = {}
    for setting in args.settings:
        name, equals, value = setting.partition("=")
        if not equals:
            raise ConfigError(f"--set {setting}: write it as NAME=VALUE")
        try:
            agent[name] = json.loads(value)
        except json.JSONDecodeError as error:
            raise ConfigError(
                f"--set {setting}: {value!r} is no JSON value (a number, true, false, null)"
            ) from error
    shared = {f.name for f in fields(RunConfig)} & {f.name for f in fields(Train)}
    given = {name: getattr(args, name) for name in shared}
    variant = read_variant(args.task, args.variant)
    return RunConfig(**{**given, "variant": variant, "agent": agent})
