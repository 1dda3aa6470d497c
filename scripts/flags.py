"""What each command takes: its flags, with their defaults and what they mean.

It imports nothing that takes long, so that help and mistakes in a command's words are answered at
once; the commands' own files import what they work with.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro
from tyro.conf import UseAppendAction

from motley.studies.seeds import SEED

Import = Annotated[UseAppendAction[tuple[str, ...]], tyro.conf.arg(name="import")]
Lesions = Annotated[UseAppendAction[tuple[str, ...]], tyro.conf.arg(name="lesion")]
Variant = UseAppendAction[tuple[str, ...]]
Kind = Literal["task", "area", "cost", "study"]
Action = Literal["list", "tune", "run", "status", "table", "verdict"]
Suite = Literal["envs", "training", "scaling"]
SUITES: tuple[Suite, ...] = ("envs", "training", "scaling")


@dataclass(frozen=True)
class Demo:
    """Two agents with equally many parameters learn to find home in the dark, side by side.

    One has the structure and the costs that match the task, one is uniform. Leaves a page of
    curves and videos. Stopped or killed, the same command goes on.
    """

    steps: int = 400_000
    """Environment steps of each agent."""
    seed: int = 0
    """Of weights, exploration and worlds."""
    out: Path = Path("runs/demo")
    """The folder of both runs and the page."""


@dataclass(frozen=True)
class List:
    """Show the tasks, structures, cost sets, costs and credit rules that there are."""

    imports: Import = ()
    """A plug-in module to import first; may be given again for more."""


@dataclass(frozen=True)
class Play:
    """Try a task by hand, with the keyboard; your score and the oracle's stand at the end.

    The clock starts with the first key. A step lasts 0.25 s, whatever it stands for in the
    task, and a key counts for the part of it that it is down: a tap turns a little, a held key
    turns fully; Shift makes it gentler. With --blind you see what the body perceives and nothing
    else, which is what an agent has to do with.
    """

    task: Annotated[str, tyro.conf.Positional]
    """A task of `motley list`."""
    level: int | None = None
    """Rung of the task's ladder; left out, its default."""
    ood: bool = False
    """The out-of-distribution variant."""
    variant: Variant = ()
    """A setting of the task, as in --variant phase=1; may be given again for more."""
    seed: int = 0
    """Of the first episode; each further one is the next."""
    turn_by_turn: bool = False
    """The world waits for your key instead of running at its pace."""
    blind: bool = False
    """Show what the body perceives only: its rays, and its other senses as bars."""
    speed: float = 1.0
    """A step lasts 0.25 s divided by it, whatever it stands for in the task."""
    size: int = 640
    """Height and width of the picture, pixels."""
    imports: Import = ()
    """A plug-in module to import first; may be given again for more."""


@dataclass(frozen=True)
class Train:
    """Train an agent and leave a run folder: curves, the model, checkpoints to go on from.

    Ctrl-C saves; the same command with --resume goes on, to the same numbers.
    """

    out: Path | None = None
    """The run folder to write; left out, runs/TASK/STRUCTURE-COSTS-SEED."""
    task: str = "DarkHome"
    """A task of `motley list`, or any Gymnasium id."""
    level: int | None = None
    """Rung of the task's ladder, 0 is the easiest; left out, the task's default."""
    ood: bool = False
    """Train in the out-of-distribution variant."""
    variant: Variant = ()
    """A setting of the task, as in --variant stop=true; may be given again for more."""
    structure: str = "matched"
    """Which areas, wired how: a structure of `motley list`."""
    costs: str = "heterogeneous"
    """What the areas are trained for: cost sets and costs of `motley list`, several joined by +.

    A cost may be given its weight, as in reward+rnd=0.1.
    """
    routing: str = "matched"
    """Which cost trains which area: matched, shuffled or global."""
    time: str = "staged"
    """With --set development=...: staged as it says, reversed, permuted or simultaneous."""
    credit: str = "backprop"
    """How an error changes weights: a credit rule of `motley list`."""
    steps: int = 500_000
    """Environment steps, all worlds together."""
    seed: int = 0
    """Of weights, exploration and worlds."""
    n_envs: int = 64
    """Worlds in lock step."""
    device: str = "cpu"
    """Where the networks live: cpu, cuda, mps."""
    eval_every: int = 20_000
    """Steps between evaluations."""
    eval_episodes: int = 200
    """Episodes of an evaluation, in worlds that never train."""
    until_solved: bool = False
    """End early, once two evaluations in a row have a score01 of 0.8."""
    resume: bool = False
    """Go on from the folder's last checkpoint; other flags may be left out."""
    imports: Import = ()
    """A plug-in module to import first; may be given again for more."""
    settings: Annotated[UseAppendAction[tuple[str, ...]], tyro.conf.arg(name="set")] = ()
    """A setting of the agent, as in --set learning_rate=1e-3; may be given again."""
    track: bool = False
    """Log to Weights & Biases as well, offline where there is no account."""
    capture_video: bool = False
    """Film the trained agent into video.mp4."""


@dataclass(frozen=True)
class Watch:
    """Watch the agent of a run: in a window, or in a video file where there is no display."""

    run: Annotated[Path, tyro.conf.Positional]
    """The run folder."""
    record: Path | None = None
    """Film into this file instead, .mp4 or .gif."""
    episodes: int = 4
    """How many episodes; 0 goes on until the window is closed."""
    level: int | None = None
    """Another rung of the task's ladder than the run's."""
    ood: bool = False
    """The out-of-distribution variant."""
    variant: Variant = ()
    """A setting of the task, not the run's, as in --variant stop=true; may be given again."""
    seed: int = SEED
    """Of the first episode."""
    sample: bool = False
    """Draw actions as in training, instead of the mean action."""
    lesion: Lesions = ()
    """An area whose output is held at zero; may be given again for more."""


@dataclass(frozen=True)
class Record:
    """Record episodes into an npz: place, senses, actions, rewards, what no sense shows, activity.

    Everything is on one clock; the file's README tells what is in it, NumPy alone reads it.
    """

    source: Annotated[Path, tyro.conf.Positional]
    """A run folder, or a task of `motley list`, played as --policy says."""
    out: Path = Path("trace.npz")
    """The file to write."""
    episodes: int = 100
    """How many, of seeds that follow each other."""
    policy: str | None = None
    """Who plays a task: oracle, observer, random or one of its shortcuts; left out, the oracle."""
    level: int | None = None
    """Another rung of the task's ladder than the run's, or than the task's default."""
    ood: bool = False
    """The out-of-distribution variant."""
    variant: Variant = ()
    """A setting of the task, as in --variant stop=true; may be given again for more."""
    seed: int = SEED
    """Of the first episode."""
    sample: bool = False
    """Draw actions as in training, instead of the mean action."""
    lesion: Lesions = ()
    """An area of the agent whose output is held at zero; may be given again for more."""
    imports: Import = ()
    """A plug-in module to import first; may be given again for more."""


@dataclass(frozen=True)
class Evaluate:
    """Play episodes with the agent of a run and print how they went, as `motley record` does.

    With --plastic it goes on learning in between; the run stays as it was.
    """

    run: Annotated[Path, tyro.conf.Positional]
    """The run folder."""
    episodes: int = 1000
    """How many."""
    level: int | None = None
    """Another rung of the task's ladder than the run's."""
    ood: bool = False
    """The out-of-distribution variant."""
    variant: Variant = ()
    """A setting of the task, not the run's, as in --variant stop=true; may be given again."""
    seed: int = SEED
    """Of the first world."""
    sample: bool = False
    """Draw actions as in training, instead of the mean action."""
    lesion: Lesions = ()
    """An area whose output is held at zero; may be given again for more."""
    plastic: int = 0
    """So many steps it learns on where it is evaluated, and is then evaluated once more."""


@dataclass(frozen=True)
class Report:
    """Make one self-contained page of all runs below a folder: verdict, curves, table, videos."""

    folder: Annotated[Path, tyro.conf.Positional]
    """The folder to look below."""
    out: Path | None = None
    """The page; left out, report.html in the folder."""
    video: bool = True
    """Film an episode of each arm where its run has no video."""


@dataclass(frozen=True)
class StudyCommand:
    """Run a study: first tune every arm alike, then run it; both go on where they were stopped.

    A whole study takes hours to days: --tasks, --arms and --seeds choose a part of it. The example
    is two runs, which take some minutes; with --results the results that ship with Motley stay as
    they are. `run` leaves out the arms that were not tuned, names them, and exits with 3.
    """

    action: Annotated[Action, tyro.conf.Positional] = "list"
    """What to do."""
    name: Annotated[str, tyro.conf.Positional] = ""
    """Which study; `list` without one shows them all."""
    tasks: tuple[str, ...] = ()
    """Only these tasks of it; a verdict is on all."""
    arms: tuple[str, ...] = ()
    """Only these arms of it; a verdict is on all."""
    seeds: tuple[int, ...] = ()
    """`run` and `status`: only these seeds of its runs. Tuning has seeds of its own."""
    runs: Path = Path("runs")
    """The run folders go into a folder of the study's name here."""
    results: Path = Path("results")
    """Tables and chosen settings go into a folder of the study's name here."""
    imports: Import = ()
    """A module to import first, with a study of one's own; may be given again for more."""


@dataclass(frozen=True)
class Audit:
    """Play a task with its oracle, observer, random policy and shortcuts, level by level.

    The bars: the oracle reaches what the task states, the observer's score01 is 0.9 or more, and a
    shortcut's or the memoryless agent's is at most 0.1 above that of the stated chance. Each holds
    or fails where all of a 95% interval lies on one side; the interval has two pseudo-episodes at
    either end of the scale, so that a few equal scores prove nothing. Else it is undecided, or
    undecidable: no number of episodes tells, such as where oracle and random tie in each.

    Exits with 1 where a bar fails, or a probe's score is more than 0.1 above its chance, or the
    capacity probe finds the uniform core below 0.9, or a core that forgets more than 0.1 above
    chance; with 3 where nothing fails but a bar is not decided; with 0 where all hold.
    """

    task: Annotated[str, tyro.conf.Positional]
    """A task of `motley list`."""
    calibrate: bool = False
    """Store the means as the task's calibration, what score01 is reckoned with."""
    memoryless: bool = False
    """Train an agent without memory and previous action on reward, and store its score."""
    capacity: bool = False
    """Tell the uniform core the variable that the task hides (which site has the item, where home
    is), and see whether it can hold it where one that forgets cannot."""
    probe: Path | None = None
    """A run folder: read what the task hides from single observations of its agent."""
    contract: bool = False
    """Run the checks that every task must pass, instead of the table."""
    level: int | None = None
    """Only this level."""
    variant: Variant = ()
    """Only the variant with this setting, as in --variant stop=true; may be given again for more.
    Left out, all variants."""
    steps: int | None = None
    """Environment steps of --memoryless and --capacity; left out, 300,000 and up to 8,000,000.
    --capacity goes on to the end of a batch of episodes, which has up to 100,000 steps."""
    seed: int = 0
    """Of the training of --memoryless and --capacity."""
    table: Path | None = None
    """A CSV file into which --capacity puts what it finds, a row a level and seed."""
    episodes: int = 1000
    """Episodes of each policy."""
    imports: Import = ()
    """A plug-in module to import first; may be given again for more."""


@dataclass(frozen=True)
class New:
    """Write a task, area, cost or study that works, into the current folder, to change."""

    kind: Annotated[Kind, tyro.conf.Positional]
    """What to write."""
    name: Annotated[str, tyro.conf.Positional] = ""
    """What to call it, as a class is: NestSite goes to nest_site.py; left out, as on the page."""


@dataclass(frozen=True)
class Bench:
    """Time worlds and training beside peers: one core, one thread, case by case in turn."""

    suites: Annotated[tuple[Suite, ...], tyro.conf.Positional] = SUITES
    """What to time; left out, everything."""
    rounds: int = 5
    """How often each case runs after its warm-up; the medians are reported."""
    quick: bool = False
    """A tenth of the steps, to see that it runs: not figures to quote."""
    out: Path = Path("runs/bench")
    """Folder of bench.json: versions, machine, every round."""
    write_docs: bool = False
    """Put the tables into docs/performance.md as well (from the repository's root)."""
