"""Which JavaScript or TypeScript file imports which, types too."""

import re

EXTENSIONS = (".ts", ".tsx", ".js", ".mjs")
COMMENT = re.compile(r"^\s*(?://|\*|/\*).*$", re.MULTILINE)
IMPORT = re.compile(r"""(?:\bfrom|\bimport|\bimport\()\s*["'](\.[^"']*)["']""")


def edges(root):
    """`{file: {file that it imports: how it names it}}` of all files beneath `root`."""
    files = list(files_of(root))
    known = {file.resolve(): file for file in files}
    graph = {}
    for file in files:
        text = COMMENT.sub("", file.read_text())
        found = ((name, target(file.parent / name, known)) for name in IMPORT.findall(text))
        graph[file] = {known[path]: name for name, path in found if path and known[path] != file}
    return graph


def files_of(folder):
    for entry in sorted(folder.iterdir()):
        if entry.is_dir() and not entry.name.startswith(".") and entry.name not in ("node_modules", "dist", "output"):
            yield from files_of(entry)
        elif entry.suffix in EXTENSIONS:
            yield entry


def target(path, known):
    path = path.resolve()
    candidates = [path, *(path.with_name(path.name + end) for end in (*EXTENSIONS, ".d.ts"))]
    candidates += [path / f"index{end}" for end in (*EXTENSIONS, ".d.ts")]
    return next((candidate for candidate in candidates if candidate in known), None)
