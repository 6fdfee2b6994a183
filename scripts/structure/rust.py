"""Which file of a Rust crate uses an item that another file defines.

A reader of `use` lines and paths, not a compiler: it follows modules, re-exports, aliases and globs, and leaves out what
is compiled for tests alone. A method that is called without naming its type is not seen.
"""

import re
from pathlib import Path

NOISE = re.compile(
    r"""//[^\n]* | /\*.*?\*/ | \bb?r(\#*)".*?"\1 | \bb?"(?:\\.|[^"\\])*" | "(?:\\.|[^"\\])*" | b?'(?:\\[^\n]+?|[^'\\\n])'""",
    re.DOTALL | re.VERBOSE,
)
TOKEN = re.compile(r"\w+|::|\S")
TEST_ONLY = re.compile(r"# \[ cfg \( (?:test|any \( test\b.*?) \) \]")
ITEMS = {"fn", "struct", "enum", "trait", "type", "const", "static", "union"}
CLOSING = {"{": "}", "(": ")", "[": "]"}


class Module:
    def __init__(self, path, file):
        self.path, self.file = path, file
        self.children, self.defines = set(), set()
        self.aliases, self.globs = {}, []
        # Names that other modules get through this one, and what this one's own code says.
        self.exported, self.uses, self.words, self.paths = set(), [], set(), []


class Crate:
    """The modules beneath the root file of a crate."""

    def __init__(self, root):
        self.modules = {}
        self.read(Path(root), ())

    def read(self, file, path):
        module = self.modules[path] = Module(path, file)
        self.parse(tokens_of(file), module)
        return module

    def parse(self, tokens, module):
        at, depth = 0, 0
        while at < len(tokens):
            token = tokens[at]
            # Not `impl Trait + use<>`.
            if token == "use" and tokens[at + 1] != "<":
                end = tokens.index(";", at)
                is_export = depth == 0 and at > 0 and (tokens[at - 1] == "pub" or tokens[at - 1] == ")")
                self.add_use(tokens[at + 1 : end], module, is_export)
                at = end
            elif token == "mod" and depth == 0 and at + 2 < len(tokens) and tokens[at + 2] in ";{":
                name = tokens[at + 1]
                path = (*module.path, name)
                module.children.add(name)
                if tokens[at + 2] == "{":
                    end = closing(tokens, at + 2)
                    self.modules[path] = Module(path, module.file)
                    self.parse(tokens[at + 3 : end], self.modules[path])
                    at = end
                else:
                    self.read(file_of(module, name), path)
                    at += 2
            else:
                if depth == 0 and token in ITEMS and re.match(r"\w", tokens[at + 1]):
                    module.defines.add(tokens[at + 1])
                if depth == 0 and token == "macro_rules":
                    module.defines.add(tokens[at + 2])
                if token in CLOSING:
                    depth += 1
                elif token in CLOSING.values():
                    depth -= 1
                elif re.match(r"\w", token) and (at == 0 or tokens[at - 1] != "::"):
                    path, end = [token], at
                    while end + 2 < len(tokens) and tokens[end + 1] == "::" and re.match(r"\w", tokens[end + 2]):
                        path.append(tokens[end + 2])
                        end += 2
                    module.words.add(token)
                    if len(path) > 1:
                        module.paths.append(path)
                    at = end
            at += 1

    def add_use(self, tokens, module, is_export):
        for path, alias in use_tree(tokens):
            if path[-1] == "*":
                module.globs.append(path[:-1])
            elif alias != "_":
                module.aliases[alias] = path
                if is_export:
                    module.exported.add(alias)
                else:
                    module.uses.append(path)

    def find(self, module, path, seen=frozenset()):
        """The module that defines what `path` means inside `module`; None if it is of another crate."""
        key = (module.path, tuple(path))
        if key in seen:
            return None
        seen = seen | {key}
        here, at = module, 0
        if path[0] == "crate":
            here, at = self.modules[()], 1
        while at < len(path) and path[at] in ("self", "super"):
            here = self.modules[here.path[:-1]] if path[at] == "super" and here.path else here
            at += 1
        while at < len(path):
            name = path[at]
            if name in here.children and (at + 1 < len(path) or name not in here.defines):
                if (child := self.modules.get((*here.path, name))) is None:
                    return None
                here, at = child, at + 1
                continue
            if name in here.defines:
                return here
            # `use frame::frame` names another crate.
            if name in here.aliases and here.aliases[name][0] != name:
                return self.find(here, here.aliases[name] + path[at + 1 :], seen)
            for glob in here.globs:
                is_ours = glob[0] in ("crate", "self", "super") or glob[0] in here.children
                if is_ours and (found := self.find(here, glob + path[at:], seen)):
                    return found
            return None
        # The path of a module: what it uses of that stands in the paths that begin with it.
        return None

    def edges(self):
        """`{file: {file it uses: name of an item}}`."""
        graph = {module.file: {} for module in self.modules.values()}
        for module in self.modules.values():
            exported = [module.aliases[name] for name in module.exported & module.words]
            globbed = [[*glob, word] for glob in module.globs for word in module.words]
            for path in module.uses + module.paths + exported + globbed:
                target = self.find(module, path)
                if target and target.file != module.file:
                    graph[module.file].setdefault(target.file, "::".join(path))
        return graph


def file_of(module, name):
    folder = module.file.parent
    if module.file.name not in ("mod.rs", "lib.rs", "main.rs"):
        folder = folder / module.file.stem
    flat = folder / f"{name}.rs"
    return flat if flat.exists() else folder / name / "mod.rs"


def closing(tokens, at):
    """The index of what closes the bracket at `at`."""
    depth = 0
    for index in range(at, len(tokens)):
        if tokens[index] in CLOSING:
            depth += 1
        elif tokens[index] in CLOSING.values():
            depth -= 1
            if depth == 0:
                return index
    raise ValueError("a bracket is not closed")


def tokens_of(file):
    text = NOISE.sub(lambda match: " " if match[0].startswith("/") else " _ ", file.read_text())
    tokens = TOKEN.findall(text)
    result, at = [], 0
    while at < len(tokens):
        if tokens[at] == "#" and tokens[at + 1 : at + 2] == ["["]:
            end = closing(tokens, at + 1)
            is_test = bool(TEST_ONLY.match(" ".join(tokens[at : end + 1])))
            at = end + 1
            if is_test:
                at = after_item(tokens, at)
            continue
        result.append(tokens[at])
        at += 1
    return result


def after_item(tokens, at):
    """The index behind the item, statement or field that begins at `at`."""
    while at < len(tokens):
        if tokens[at] in ("(", "["):
            at = closing(tokens, at)
        elif tokens[at] == "{":
            return closing(tokens, at) + 1
        elif tokens[at] in (";", ","):
            return at + 1
        at += 1
    return at


def use_tree(tokens, prefix=()):
    """The paths of `use a::{b, c as d, self}` and the names that they get."""
    path, at = list(prefix), 0
    while at < len(tokens):
        token = tokens[at]
        if token == "{":
            end = closing(tokens, at)
            part, depth = [], 0
            for inner in [*tokens[at + 1 : end], ","]:
                if inner == "," and depth == 0:
                    if part:
                        yield from use_tree(part, tuple(path))
                    part = []
                    continue
                depth += (inner == "{") - (inner == "}")
                part.append(inner)
            return
        if token == "as":
            yield path, tokens[at + 1]
            return
        if token == "self" and path:
            yield path, path[-1]
            return
        if token != "::":
            path.append(token)
        at += 1
    yield path, path[-1]
