"""The distribution: folders, links, the direction of imports, the wheel, make."""

import ast
import configparser
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = ("agents", "costs", "envs", "scripts", "studies")
# What each folder may import of the others: scripts -> studies -> agents -> costs,
# agents and studies -> envs.
MAY_IMPORT = {
    "envs": set[str](),
    "costs": set[str](),
    "agents": {"costs", "envs"},
    "studies": {"agents", "costs", "envs"},
    "scripts": {"studies", "agents", "costs", "envs"},
}


def settings() -> configparser.ConfigParser:
    """setup.cfg, without interpolation (mypy's section has a $)."""
    parser = configparser.ConfigParser(interpolation=None)
    parser.read(ROOT / "setup.cfg")
    return parser


def sources(folder: str) -> Iterator[Path]:
    """Every Python file below a folder."""
    return (ROOT / folder).rglob("*.py")


def imports_of(source: str, package: str) -> set[str]:
    """Full names of all modules that a source imports, `package` resolving relative ones."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parents = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join([*parents, base]).rstrip(".")
            names.update(f"{base}.{alias.name}" for alias in node.names)
    return names


def package_of(path: Path) -> str:
    """The dotted name of the package that a source file lies in."""
    return ".".join(("motley", *path.relative_to(ROOT).parent.parts))


def run(
    *command: str | Path, cwd: Path, path: Path | None = None, timeout: float = 60
) -> subprocess.CompletedProcess[str]:
    """Run a command with nothing of this process's import path but `path`."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "MAKE"))}
    if path is not None:
        environment["PYTHONPATH"] = str(path)
    return subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )


def test_package_list_equals_the_folders() -> None:
    listed = settings()["options"]["packages"].split()
    found = [
        package_of(path) for folder in FOLDERS for path in (ROOT / folder).rglob("__init__.py")
    ]
    assert sorted(listed) == sorted(found)
    assert len(listed) == len(set(listed))


def test_every_folder_of_sources_is_a_package() -> None:
    for folder in FOLDERS:
        for path in sources(folder):
            assert (path.parent / "__init__.py").is_file(), f"{path.parent} has no __init__.py"


def test_package_dir_maps_each_folder() -> None:
    lines = settings()["options"]["package_dir"].strip().splitlines()
    mapping = dict(line.replace(" ", "").split("=") for line in lines)
    assert mapping == {f"motley.{folder}": folder for folder in FOLDERS}


def test_typing_links_match_the_folders() -> None:
    links = {path.name: path for path in (ROOT / "typings" / "motley").iterdir()}
    assert sorted(links) == sorted(FOLDERS)
    for name, path in links.items():
        assert path.is_symlink()
        assert os.readlink(path) == f"../../{name}"
        assert path.resolve() == ROOT / name


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_package_is_typed(folder: str) -> None:
    assert (ROOT / folder / "py.typed").is_file()
    assert (
        "py.typed"
        in settings()["options.package_data"][f"motley.{folder}"].replace(",", " ").split()
    )


@pytest.mark.parametrize("folder", [*FOLDERS, "tests"])
def test_no_bare_imports(folder: str) -> None:
    for path in sources(folder):
        for name in imports_of(path.read_text(), package_of(path)):
            assert name.split(".")[0] not in FOLDERS, f"{path} imports {name}, not motley.{name}"


@pytest.mark.parametrize("folder", FOLDERS)
def test_imports_point_one_way(folder: str) -> None:
    for path in sources(folder):
        for name in imports_of(path.read_text(), package_of(path)):
            parts = name.split(".")
            if parts[0] == "motley" and parts[1:2] != [folder]:
                assert parts[1] in MAY_IMPORT[folder], f"{path} may not import {name}"


def test_worlds_and_tasks_import_no_torch() -> None:
    for path in sources("envs"):
        for name in imports_of(path.read_text(), package_of(path)):
            assert name.split(".")[0] != "torch", f"{path} imports {name}"


def test_the_import_reader_sees_every_form() -> None:
    source = (
        "import motley.agents.agent as a\nfrom ..costs import trace\n"
        "def f():\n    from . import rollout\n    from motley import envs\n"
    )
    assert imports_of(source, "motley.agents") == {
        "motley.agents.agent",
        "motley.costs.trace",
        "motley.agents.rollout",
        "motley.envs",
    }


@pytest.mark.parametrize("folder", FOLDERS)
def test_ruff_refuses_a_bare_import(folder: str) -> None:
    def check(line: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "ruff", "check", "--select", "TID251", "-"],
            cwd=ROOT,
            input=line,
            capture_output=True,
            text=True,
            check=False,
        )

    for line in (f"import {folder}\n", f"from {folder}.deep import thing\n"):
        result = check(line)
        assert result.returncode == 1
        assert f"import motley.{folder}" in result.stdout
    assert check(f"import motley.{folder}\n").returncode == 0


BLOCKED = """
import sys

class Block:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("torch", "stable_baselines3", "sb3_contrib"):
            raise ImportError(f"{name} is blocked")

sys.meta_path.insert(0, Block())
import gymnasium
import motley.envs
ids = [name for name in gymnasium.registry if name.startswith("motley/")]
assert ids, "no ids registered"
for name in ids:
    gymnasium.make(name).close()
assert "torch" not in sys.modules
print("made", len(ids))
"""


def test_worlds_stand_without_torch(tmp_path: Path) -> None:
    result = run(sys.executable, "-c", BLOCKED, cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert result.stdout.startswith("made ")


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel of the present sources, installed alone into an empty folder."""
    base = tmp_path_factory.mktemp("wheel")
    source = base / "source"
    source.mkdir()
    # A copy: setuptools leaves a build/ beside setup.cfg, and takes stale files from it.
    for name in ("setup.cfg", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    for folder in FOLDERS:
        shutil.copytree(
            ROOT / folder, source / folder, ignore=shutil.ignore_patterns("__pycache__")
        )
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check")
    built = run(*pip, "wheel", "--no-deps", "--no-build-isolation", "-w", base, source, cwd=base)
    assert built.returncode == 0, built.stderr
    (wheel,) = base.glob("motley_rl-*.whl")
    target = base / "target"
    result = run(*pip, "install", "--no-deps", "--no-index", "--target", target, wheel, cwd=base)
    assert result.returncode == 0, result.stderr
    return target


def test_wheel_holds_every_source_and_data_file(installed: Path) -> None:
    for folder in FOLDERS:
        for pattern in ("*.py", "*.json", "py.typed"):
            for path in (ROOT / folder).rglob(pattern):
                assert (installed / "motley" / path.relative_to(ROOT)).is_file(), (
                    f"{path} is left out"
                )
    # One import name alone: no bare `envs`, no tests, and an implicit namespace root.
    assert [path.name for path in installed.glob("*") if path.suffix != ".dist-info"] in (
        ["motley"],
        ["bin", "motley"],
        ["motley", "bin"],
    )
    assert not (installed / "motley" / "__init__.py").exists()


IN_AN_EMPTY_FOLDER = """
import sys
from importlib.metadata import distributions
from importlib.resources import files
from pathlib import Path

target = Path(sys.argv[1])
import gymnasium
import motley.envs
assert Path(motley.envs.__file__).is_relative_to(target), motley.envs.__file__
from motley.envs.tasks import TASKS
for name in TASKS:
    assert f"motley/{name}-v0" in gymnasium.registry, name
assert any(path.name.endswith(".json") for path in files("motley.envs.tasks").iterdir())
(ours,) = distributions(name="motley-rl", path=[str(target)])
(script,) = ours.entry_points.select(group="console_scripts", name="motley")
main = script.load()
assert Path(sys.modules[script.module].__file__).is_relative_to(target)
assert callable(main)
print("tasks", *TASKS)
"""


def test_wheel_works_in_an_empty_folder(installed: Path, tmp_path: Path) -> None:
    result = run(sys.executable, "-c", IN_AN_EMPTY_FOLDER, installed, cwd=tmp_path, path=installed)
    assert result.returncode == 0, result.stderr
    assert "DarkHome" in result.stdout


@pytest.fixture
def makefile(tmp_path: Path) -> Path:
    """A folder with what `make setup` reads, and no environment."""
    for name in ("Makefile", "setup.cfg", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path)
    return tmp_path


def fake_python(path: Path, version: str) -> Path:
    """A stand-in for a Python of another version, which runs code but makes no venv."""
    path.write_text(
        f"#!{sys.executable}\nimport sys\nsys.version_info = {version}\nexec(sys.argv[2])\n"
    )
    path.chmod(0o755)
    return path


@pytest.mark.skipif(shutil.which("make") is None, reason="no make here")
class TestMake:
    def test_alone_prints_every_target(self, makefile: Path) -> None:
        result = run("make", cwd=makefile)
        assert result.returncode == 0
        for target in ("setup", "demo", "test", "lint", "bench"):
            assert f"make {target} " in result.stdout

    def test_an_old_python_is_told(self, makefile: Path) -> None:
        old = fake_python(makefile / "old", "(3, 9, 1)")
        result = run("make", "setup", f"PYTHON={old}", cwd=makefile)
        assert result.returncode != 0
        assert "needs Python 3.11 or newer; this is 3.9" in result.stderr
        assert not (makefile / ".venv").exists()

    def test_a_missing_python_is_told(self, makefile: Path) -> None:
        result = run("make", "setup", "PYTHON=no-such-python", cwd=makefile)
        assert result.returncode != 0
        assert "No no-such-python here" in result.stderr

    def test_a_second_call_does_nothing(self, makefile: Path) -> None:
        (makefile / ".venv").mkdir()
        (makefile / ".venv" / ".installed").touch()
        result = run("make", "setup", "PYTHON=no-such-python", cwd=makefile)
        assert result.returncode == 0, result.stderr
        assert "Setting up" not in result.stdout
