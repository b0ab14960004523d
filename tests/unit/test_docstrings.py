"""Holds public docstrings to Google's sections, by the source alone: who reads the call knows arguments and errors."""

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import streamsink

ROOT = Path(streamsink.__file__).parent
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


@dataclass(frozen=True)
class Public:
    """A public function or method, but for properties, and the class that it is in."""

    where: str
    node: ast.FunctionDef | ast.AsyncFunctionDef
    owner: ast.ClassDef | None

    @property
    def doc(self) -> str:
        return ast.get_docstring(self.node) or ""

    @property
    def parameters(self) -> tuple[str, ...]:
        args = self.node.args
        names = [each.arg for each in [*args.posonlyargs, *args.args]]
        if self.owner is not None and "staticmethod" not in map(ast.unparse, self.node.decorator_list):
            del names[0]
        names += [each.arg for each in [*args.kwonlyargs, args.vararg, args.kwarg] if each is not None]
        return tuple(names)


def public_in(source: str, where: str) -> Iterator[Public]:
    owners: list[ast.Module | ast.ClassDef] = [ast.parse(source)]
    for owner in owners:
        owners += [node for node in owner.body if isinstance(node, ast.ClassDef) and not node.name.startswith("_")]
        for node in owner.body:
            if isinstance(node, FUNCTIONS) and not node.name.startswith("_") and not is_property(node):
                yield Public(f"{where}:{node.lineno} {node.name}", node, owner if owner is not owners[0] else None)


def is_property(node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    decorators = map(ast.unparse, node.decorator_list)
    return any(re.search(r"property$|\.setter$|^overload$", each) for each in decorators)


@cache
def everything() -> list[Public]:
    files = sorted(ROOT.rglob("*.py"))
    return [each for file in files for each in public_in(file.read_text(), str(file.relative_to(ROOT)))]


@cache
def promised() -> dict[tuple[str, tuple[str, ...]], list[Public]]:
    """Methods of protocols and abstract classes, by name and parameters: what implements them need not repeat them."""
    found = defaultdict(list)
    for each in everything():
        bases = [] if each.owner is None else [ast.unparse(base).partition("[")[0] for base in each.owner.bases]
        if {"Protocol", "ABC"} & set(bases):
            found[each.node.name, each.parameters].append(each)
    return found


def is_promised(each: Public, section: str) -> bool:
    others = promised().get((each.node.name, each.parameters), [])
    return each.owner is not None and any(section in other.doc for other in others if other.node is not each.node)


@cache
def commands() -> set[str]:
    """Functions that are commands: a command's docstring is its help, which describes parameters beside them."""
    text = "\n".join(file.read_text() for file in (ROOT / "cli").glob("*.py"))
    named = re.findall(r'app\.command\(\s*(?:"[\w.]+:)?(\w+)[",)]', text)
    loaded_later = re.findall(r'"streamsink\.cli[\w.]*:(\w+)"', text)
    return {*named, *loaded_later, *re.findall(r"^@app\.command.*\ndef (\w+)", text, re.MULTILINE)}


def is_command(each: Public) -> bool:
    return each.where.startswith("cli/") and each.node.name in commands()


@cache
def our_errors() -> set[str]:
    tree = ast.parse((ROOT / "errors.py").read_text())
    return {node.name for node in tree.body if isinstance(node, ast.ClassDef)}


def raised_by(node: ast.AST) -> Iterator[str]:
    """Our errors that a function raises itself, not in a function inside it."""
    for inner in ast.iter_child_nodes(node):
        if isinstance(inner, ast.Raise) and isinstance(inner.exc, ast.Call):
            yield from {ast.unparse(inner.exc.func)} & our_errors()
        if not isinstance(inner, (*FUNCTIONS, ast.ClassDef, ast.Lambda)):
            yield from raised_by(inner)


def without_arguments(public: list[Public]) -> list[str]:
    faults = []
    for each in public:
        told = re.split(r"^(?:Returns|Yields|Raises|Example):", each.doc.partition("Args:")[2], flags=re.MULTILINE)[0]
        used = [name for name in each.parameters if not name.startswith("_")]
        lacking = [name for name in used if not re.search(rf"^ *\**{name}: \S", told, re.MULTILINE)]
        if lacking and (told or len(each.parameters) > 1) and not is_promised(each, "Args:") and not is_command(each):
            faults.append(f"{each.where} lacks {', '.join(lacking)}")
    return faults


def named_alone(public: list[Public]) -> list[str]:
    """Arguments whose description is their name once more, as `file: The file.`"""
    return [
        f"{each.where} says of {name} its name"
        for each in public
        for name, said in re.findall(r"^ *\**(\w+): (?:(?:The|A|An) )?([\w ]+)\.$", each.doc, flags=re.MULTILINE)
        if name in each.parameters and said.lower() == name.strip("_").replace("_", " ")
    ]


def without_errors(public: list[Public]) -> list[str]:
    return [
        f"{each.where} raises {', '.join(sorted(errors))}"
        for each in public
        if (errors := set(raised_by(each.node))) and "Raises:" not in each.doc
        if not is_promised(each, "aises") and not is_command(each)
    ]


def without_results(public: list[Public]) -> list[str]:
    return [
        each.where
        for each in public
        if each.node.returns is not None
        and re.fullmatch(r"tuple\[(?!\w+(\.\w+)?, \.\.\.\]$).*", ast.unparse(each.node.returns))
        and "Returns:" not in each.doc
        and not is_promised(each, "Returns:")
    ]


def test_each_argument_of_a_public_function_with_several_is_described():
    assert without_arguments(everything()) == []


def test_no_argument_is_described_by_its_name_alone():
    assert named_alone(everything()) == []


def test_each_public_function_that_raises_an_error_of_ours_says_when():
    assert without_errors(everything()) == []


def test_each_public_function_that_gives_several_values_says_which():
    assert without_results(everything()) == []


def test_a_function_that_says_nothing_of_arguments_results_and_errors_is_noticed():
    source = '''
def move(one, other) -> tuple[int, str]:
    """Move."""
    raise TerminalError("no")

def stay(one):
    """Stay.

    Args:
        one: The one.
    """
'''
    public = list(public_in(source, "made.py"))
    assert without_arguments(public) == ["made.py:2 move lacks one, other"]
    assert named_alone(public) == ["made.py:6 stay says of one its name"]
    assert without_errors(public) == ["made.py:2 move raises TerminalError"]
    assert without_results(public) == ["made.py:2 move"]
