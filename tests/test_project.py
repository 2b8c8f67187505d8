"""The project as a whole: what it installs, what it says of itself, how its rooms hang together."""

import ast
import re
import subprocess
import tomllib

import pytest
import yaml
from packaging.requirements import Requirement

from autograder.chapters import ROOT, chapter_paths

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
TRACKED = subprocess.run(
    ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
    cwd=ROOT,
    capture_output=True,
    text=True,
    check=True,
).stdout.split("\n")[:-1]


def constraints():
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    return {
        Requirement(line).name.lower().replace("_", "-"): Requirement(line)
        for line in lines
        if line[:1] != "#"
    }


def ranges():
    extras = PROJECT["optional-dependencies"].values()
    return [Requirement(text) for text in [*PROJECT["dependencies"], *(t for extra in extras for t in extra)]]


def test_environment_yml_holds_nothing_of_its_own():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    *conda, pip = environment["dependencies"]
    assert [entry.split("=")[0] for entry in conda] == ["python", "pip"]
    assert pip == {"pip": ["--constraint constraints.txt", "--editable .[course]"]}


@pytest.mark.parametrize("requirement", ranges(), ids=lambda requirement: requirement.name)
def test_what_is_tested_lies_within_the_ranges(requirement):
    tested = constraints()[requirement.name.lower().replace("_", "-")]
    (exact,) = tested.specifier
    assert exact.operator == "=="
    assert requirement.specifier.contains(exact.version)


def test_what_is_installed_is_what_is_tested():
    import importlib.metadata as metadata

    for name, requirement in constraints().items():
        try:
            version = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue  # of another platform
        assert requirement.specifier.contains(version), f"{name} {version} is not what constraints.txt says"


def imports_of(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


TEXT = {".css", ".ipynb", ".js", ".md", ".py", ".sh", ".toml", ".txt", ".yml"}
TRAINED = "companion/data/translation/model.safetensors"
COMMANDS = {"train_translation.py"}  # trains the reader's model on the course's data: no topic
ROOMS = {"autograder", "book", "chapters", "companion", "solutions", "tests"}


@pytest.mark.parametrize(
    ("room", "allowed"),
    [
        ("companion", {"companion"}),
        ("solutions", {"solutions"}),
        ("autograder/exercises", {"autograder.exercises", "solutions"}),
        ("autograder/answers", {"solutions"}),
        ("autograder", {"autograder", "solutions", "companion"}),
    ],
)
def test_imports_go_one_way(room, allowed):
    for path in (ROOT / room).rglob("*.py"):
        may = allowed | ({"companion.data"} if path.name in COMMANDS else set())
        for module in imports_of(path):
            if module.split(".")[0] in ROOMS:
                assert any(module == name or module.startswith(f"{name}.") for name in may), (
                    f"{path}: {module}"
                )


def test_every_topic_has_its_four_files():
    for chapter in chapter_paths():
        topic = chapter.stem[3:]
        for path in (
            f"solutions/{topic}.py",
            f"autograder/exercises/{topic}.py",
            f"autograder/answers/{topic}.py",
            f"chapters/{chapter.stem}.ipynb",
        ):
            assert (ROOT / path).exists(), f"{topic} has no {path}"
        assert f"chapters/{chapter.stem}" in (ROOT / "_toc.yml").read_text()


def test_links_in_the_readme_lead_somewhere():
    for name in ("README.md", "CONTRIBUTING.md"):
        text = (ROOT / name).read_text(encoding="utf-8")
        for target in re.findall(r'\]\((?!https?:)([^)#]+)|(?:src|srcset)="([^"]+)"', text):
            assert (ROOT / "".join(target)).exists(), f"{name}: {target}"


def test_no_large_files_and_no_paths_of_one_machine():
    for name in TRACKED:
        path = ROOT / name
        if not path.is_file():
            continue
        largest = 12_000_000 if name == TRAINED else 4 * 2**20
        assert path.stat().st_size <= largest, f"{name} is larger than {largest} bytes"
        if (
            path.suffix in {".py", ".md", ".yml", ".toml", ".txt", ".js", ".css", ".ipynb"}
            and "mathjax" not in name
        ):
            text = path.read_text(encoding="utf-8")
            assert not re.search(r"(?<![\w.])/(?:root|work|home/\w+)/", text), name
