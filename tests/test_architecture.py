"""What the linters cannot say: no iteration over sets, no sprawling files, a sentence at the head of each."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SOURCES = sorted([*ROOT.glob("aurora/**/*.py"), *ROOT.glob("skalp_bot/**/*.py")])
LINES_MAX = 400
FUNCTION_LINES_MAX = 60
SET_MAKERS = {"set", "frozenset"}
WALKERS = {"list", "tuple", "iter", "next", "enumerate"}


def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def is_set(node: ast.AST, names: set[str]) -> bool:
    match node:
        case ast.Set() | ast.SetComp():
            return True
        case ast.Call(func=ast.Name(id=name)):
            return name in SET_MAKERS
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name in names
        case _:
            return False


def annotated_as_set(annotation: ast.expr) -> bool:
    head = annotation.value if isinstance(annotation, ast.Subscript) else annotation
    return isinstance(head, ast.Name) and head.id in SET_MAKERS


def set_names(module: ast.Module) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(module):
        match node:
            case ast.AnnAssign(target=ast.Name(id=name) | ast.Attribute(attr=name), annotation=annotation):
                if annotated_as_set(annotation):
                    names.add(name)
            case ast.Assign(targets=[ast.Name(id=name) | ast.Attribute(attr=name)], value=value):
                if is_set(value, set()):
                    names.add(name)
            case ast.arg(arg=name, annotation=ast.expr() as annotation):
                if annotated_as_set(annotation):
                    names.add(name)
    return names


def iterated(module: ast.Module) -> Iterator[ast.expr]:
    for node in ast.walk(module):
        match node:
            case ast.For(iter=source) | ast.AsyncFor(iter=source) | ast.comprehension(iter=source):
                yield source
            case ast.Call(func=ast.Name(id=name), args=[source, *_]) if name in WALKERS:
                yield source


def sets_iterated(module: ast.Module) -> list[int]:
    names = set_names(module)
    return [source.lineno for source in iterated(module) if is_set(source, names)]


def functions(module: ast.Module) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(module):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_source_file_keeps_the_house_rules(path: Path) -> None:
    module = tree(path)
    assert ast.get_docstring(module), "a sentence at its head says what lives there"
    assert not sets_iterated(module), "the order of a set differs between runs; sort it"
    assert len(path.read_text(encoding="utf-8").splitlines()) <= LINES_MAX, "over this it is two nouns"
    long = [f.name for f in functions(module) if (f.end_lineno or 0) - f.lineno >= FUNCTION_LINES_MAX]
    assert not long, "a function this long is two functions"


@pytest.mark.parametrize(
    ("code", "caught"),
    [
        ("for x in {1, 2}: pass", True),
        ("seen: set[int] = set()\nlist(seen)", True),
        ("[x for x in frozenset(y)]", True),
        ("for x in sorted({1, 2}): pass", False),
        ("for x in [1, 2]: pass", False),
    ],
)
def test_the_set_rule_catches_what_it_names(code: str, *, caught: bool) -> None:
    assert bool(sets_iterated(ast.parse(code))) is caught


def test_tests_hold_no_mocks() -> None:
    banned = ("unittest.mock", "import mock", "pytest_mock", "mocker", "monkeypatch.setattr")
    for path in sorted((ROOT / "tests").glob("**/*.py")):
        if path.name == "test_architecture.py":
            continue
        text = path.read_text(encoding="utf-8")
        assert not [word for word in banned if word in text], path
