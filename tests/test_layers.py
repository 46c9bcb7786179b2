"""The floors of the house as a table: imports only go down, and what is pure stays pure."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
CONNECTOR, PLUGINS = ROOT / "connector", ROOT / "plugins"

# What stands on which floor: modules, and packages with all that is in them.
FLOORS = {
    6: {"__main__", "commands", "daemon", "demo"},
    5: {"server", "service", "reports"},
    4: {"ingest", "sync"},
    3: {"feeds", "store", "config", "registry", "http"},
    2: {"adapter", "feed", "log", "published"},
    1: {"indicators", "decisions"},
    0: {"__init__", "model", "instants", "settings", "errors", "outside"},
}  # fmt: skip
# Ships with the package for the authors of plugins and for `connector demo`; nothing else uses it.
APART = "testing"
MAY_IMPORT_TESTING = {"demo", "commands"}
# Stations of an indicator's way that know nothing of each other.
STRANGERS = {("indicators", "decisions"), ("feeds", "store"), ("store", "feeds"),
             ("server", "store"), ("server", "service")}  # fmt: skip
# A station that knows of another this part alone: what indicators may do decides about them.
KNOWN_IN_PART = {("decisions", "indicators"): "connector.indicators.markings."}

# All that a plugin imports: of outputs, of feeds.
CONTRACTS = ("connector.adapter", "connector.feed")
# Beside its code a plugin may have an emulator of its target, which is for tests.
EMULATOR = "emulator"
FOR_EMULATORS = ("connector.instants", "connector.testing.http_target")

PURE_FLOORS = (0, 1)
IMPURE = {
    "asyncio", "fcntl", "http", "io", "logging", "multiprocessing", "os", "pathlib", "random",
    "requests", "secrets", "select", "shutil", "signal", "socket", "sqlalchemy", "sqlite3", "ssl",
    "starlette", "structlog", "subprocess", "sys", "tempfile", "threading", "time", "urllib3",
    "uuid", "uvicorn",
}  # fmt: skip
IMPURE_CALLS = {"now", "utcnow", "today", "open", "print", "input", "getenv"}
# (module, import): why it may stand on a pure floor.
PURE_ENOUGH = {
    ("settings", "pathlib"): "a path is a type of option here; nothing opens it",
    ("instants", "time"): "the one clock, which no other pure module may read",
}

LONGEST_MODULE = 400
MOST_ROOT_MODULES = 9
NAMES_WITHOUT_A_SUBJECT = {
    "utils",
    "util",
    "helpers",
    "helper",
    "common",
    "base",
    "manager",
    "misc",
}
# (module, function): the places that catch everything, and why they may.
CATCHES_EVERYTHING = {
    ("connector.service.isolation", "isolate_bugs"): "one feed's or output's bug stops no other",
    ("connector.daemon.workers", "_work"): "a thread hands what ends it to the main thread",
    (
        "connector.config.loading",
        "_try",
    ): "a plugin's bug hides no other problem",
    ("connector.registry", "_load"): "a plugin may fail to import in any way; others go on",
    ("connector.service.deadline", "_work"): "a thread hands what ends it to the command",
    ("connector.demo.stage", "_run"): "a thread hands what ends it to the screen",
}


@dataclass(frozen=True)
class Module:
    """One source file: its dotted name, its text and what it imports."""

    name: str
    path: Path
    tree: ast.Module

    @property
    def parts(self) -> list[str]:
        return self.name.split(".")


def _read(folder: Path, prefix: str) -> Iterator[Module]:
    for path in sorted(folder.rglob("*.py")):
        parts = [prefix, *path.relative_to(folder).with_suffix("").parts]
        name = ".".join(part for part in parts if part and part != "__init__")
        yield Module(name, path, ast.parse(path.read_text(), str(path)))


CORE = {module.name: module for module in _read(CONNECTOR, "connector")}
PLUGIN_MODULES = {module.name: module for module in _read(PLUGINS, "")}
ALL = CORE | PLUGIN_MODULES


def imports(module: Module) -> Iterator[str]:
    """Yield the dotted name of every module imported, wherever in the file it is."""
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            package = node.module or ""
            if node.level:
                own = module.parts if module.path.name == "__init__.py" else module.parts[:-1]
                above = own[: len(own) - node.level + 1]
                package = ".".join([*above, *([package] if package else [])])
            for alias in node.names:
                inner = f"{package}.{alias.name}"
                yield inner if inner in ALL else package


def station(name: str) -> str:
    """Return the module or package right below `connector`; `__init__` for itself."""
    parts = name.split(".")
    return parts[1] if len(parts) > 1 else "__init__"


def floor(name: str) -> int:
    return next(level for level, stations in FLOORS.items() if station(name) in stations)


def core_imports(module: Module) -> set[str]:
    return {name for name in imports(module) if name.split(".")[0] == "connector"}


def test_every_module_is_on_exactly_one_floor() -> None:
    found = {station(name) for name in CORE} - {APART}
    named = [each for stations in FLOORS.values() for each in stations]
    assert len(named) == len(set(named))
    assert set(named) - found <= set(), "the table names what is no longer there"
    assert found - set(named) == set(), "give the new module a floor in FLOORS"


@pytest.mark.parametrize("name", [name for name in CORE if station(name) != APART])
def test_imports_only_go_down(name: str) -> None:
    for imported in core_imports(CORE[name]):
        if station(imported) == APART:
            assert station(name) in MAY_IMPORT_TESTING, f"{name} imports {imported}"
        else:
            assert floor(imported) <= floor(name), f"{name} imports {imported}, a floor above"
            pair = station(name), station(imported)
            assert pair not in STRANGERS, f"{name}: {imported}"
            assert imported.startswith(KNOWN_IN_PART.get(pair, "")), f"{name}: {imported}"


def test_no_module_imports_itself_in_a_circle() -> None:
    order = TopologicalSorter({name: core_imports(CORE[name]) - {name} for name in CORE})
    order.prepare()  # raises CycleError with the circle


@pytest.mark.parametrize("name", PLUGIN_MODULES)
def test_plugins_import_a_contract_and_nothing_deeper(name: str) -> None:
    own, *inner = name.split(".")
    emulates = EMULATOR in inner
    for imported in imports(PLUGIN_MODULES[name]):
        top = imported.split(".")[0]
        if top == "connector":
            allowed = FOR_EMULATORS if emulates else CONTRACTS
            assert imported in allowed, f"{name} imports {imported}"
        assert emulates or EMULATOR not in imported.split("."), f"{name} imports its emulator"
        if top.startswith("connector_"):
            assert top == own, f"{name} imports another plugin, {imported}"


@pytest.mark.parametrize("name", CORE)
def test_the_core_names_no_plugin(name: str) -> None:
    plugins = {path.name for path in PLUGINS.iterdir() if path.is_dir()}
    text = CORE[name].path.read_text()
    assert [plugin for plugin in sorted(plugins) if plugin in text] == []


def _pure() -> list[str]:
    return [name for name in CORE if station(name) != APART and floor(name) in PURE_FLOORS]


@pytest.mark.parametrize("name", _pure())
def test_the_lowest_floors_know_no_clock_file_socket_or_log(name: str) -> None:
    module = CORE[name]
    for imported in imports(module):
        top = imported.split(".")[0]
        if (station(name), top) not in PURE_ENOUGH:
            assert top not in IMPURE, f"{name} imports {imported}"
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Call):
            called = node.func
            called_name = getattr(called, "attr", None) or getattr(called, "id", "")
            assert called_name not in IMPURE_CALLS, f"{name}:{node.lineno} calls {called_name}"


READS_THE_CLOCK = {"system_clock", "utc_now"}


@pytest.mark.parametrize("name", _pure())
def test_a_pure_module_never_reads_the_clock(name: str) -> None:
    names = {node.id for node in ast.walk(CORE[name].tree) if isinstance(node, ast.Name)}
    assert station(name) == "instants" or not names & READS_THE_CLOCK


@pytest.mark.parametrize("name", ALL)
def test_there_is_one_clock(name: str) -> None:
    for node in ast.walk(ALL[name].tree):
        if isinstance(node, ast.Attribute):
            read = f"{ast.unparse(node.value)}.{node.attr}"
            own = read in {"datetime.now", "datetime.utcnow", "date.today", "time.time"}
            assert not own, (
                f"{name}:{node.lineno} reads {read}: take a Clock from connector.instants"
            )


def test_the_root_holds_contracts_and_vocabulary_alone() -> None:
    modules = {path.stem for path in CONNECTOR.glob("*.py") if not path.stem.startswith("__")}
    assert len(modules) <= MOST_ROOT_MODULES, sorted(modules)


def test_each_exception_to_purity_is_still_needed() -> None:
    for station_name, imported in PURE_ENOUGH:
        tops = {found.split(".")[0] for found in imports(CORE[f"connector.{station_name}"])}
        assert imported in tops


@pytest.mark.parametrize("name", ALL)
def test_a_module_has_one_subject_and_says_it(name: str) -> None:
    module = ALL[name]
    assert ast.get_docstring(module.tree), f"{name} has no docstring"
    lines = len(module.path.read_text().splitlines())
    if ".migrations." in name:
        return  # a migration lists tables; its one subject is the step
    assert lines <= LONGEST_MODULE, f"{name} has {lines} lines: what is its second subject?"
    assert module.path.stem not in NAMES_WITHOUT_A_SUBJECT


def _catches_everything(tree: ast.Module) -> Iterator[str]:
    """Yield the function of every handler that catches all and does not pass it on."""
    for function in ast.walk(tree):
        if not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        for node in ast.walk(function):
            if isinstance(node, ast.ExceptHandler) and _is_broad(node):
                yield function.name


def _is_broad(handler: ast.ExceptHandler) -> bool:
    named = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    broad = handler.type is None or any(
        isinstance(each, ast.Name) and each.id in ("Exception", "BaseException") for each in named
    )
    return broad and not any(
        isinstance(node, ast.Raise) and node.exc is None for node in ast.walk(handler)
    )


def test_everything_is_caught_exactly_where_it_may_be() -> None:
    found = {
        (module.name, function)
        for module in ALL.values()
        if station(module.name) != APART
        for function in _catches_everything(module.tree)
    }
    assert found == set(CATCHES_EVERYTHING)


def test_the_smallest_plugin_is_another_package_like_any_third_party_package() -> None:
    for path in PLUGINS.iterdir():
        if path.is_dir() and path.name != "__pycache__":
            assert path.name.startswith("connector_"), (
                "the prefix keeps names unique once installed"
            )
            assert (path / "__init__.py").exists()
