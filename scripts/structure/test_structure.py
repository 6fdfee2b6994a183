"""What counts as a use of another file, and what does not."""

import tempfile
import unittest
from pathlib import Path

import javascript
import rust


class Sources(unittest.TestCase):
    def write(self, files):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        for name, text in files.items():
            path = Path(folder.name) / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return Path(folder.name)

    def uses(self, graph, folder):
        return {(file.relative_to(folder).as_posix(), other.relative_to(folder).as_posix()) for file in graph for other in graph[file]}


class Rust(Sources):
    def check(self, files, expected):
        folder = self.write(files)
        self.assertEqual(self.uses(rust.Crate(folder / "lib.rs").edges(), folder), set(expected))

    def test_a_use_line_and_a_path_are_uses(self):
        files = {"lib.rs": "mod a;\nmod b;\nmod c;", "a.rs": "use crate::b::{B, self};\nfn x() { b::y() }", "b.rs": "pub struct B;\npub fn y() { super::c::z() }", "c.rs": "pub fn z() {}"}
        self.check(files, [("a.rs", "b.rs"), ("b.rs", "c.rs")])

    def test_a_parent_that_declares_and_exports_its_children_does_not_use_them(self):
        files = {"lib.rs": "mod a;", "a/mod.rs": "mod b;\nmod c;\npub use self::b::B;", "a/b.rs": "pub struct B;", "a/c.rs": "use super::B;"}
        self.check(files, [("a/c.rs", "a/b.rs")])

    def test_a_parent_that_defines_what_its_children_import_is_in_a_circle(self):
        files = {"lib.rs": "mod a;", "a/mod.rs": "mod b;\nuse b::B;\npub struct A(B);", "a/b.rs": "use super::A;\npub struct B;"}
        self.check(files, [("a/mod.rs", "a/b.rs"), ("a/b.rs", "a/mod.rs")])

    def test_names_through_globs_aliases_and_exports_lead_to_their_files(self):
        files = {"lib.rs": "mod a;\nmod b;\npub use crate::b::Long as Short;", "a.rs": "use crate::b::*;\nuse crate::Short;\nfn x(_: Other) {}", "b.rs": "pub struct Long;\npub struct Other;"}
        self.check(files, [("a.rs", "b.rs")])

    def test_tests_comments_and_strings_do_not_count(self):
        files = {"lib.rs": "mod a;\nmod b;", "a.rs": "// crate::b::B\n/* crate::b::B */\nconst T: &str = \"crate::b::B\";\n#[cfg(test)]\nmod tests { use crate::b::B; }", "b.rs": "pub struct B;"}
        self.check(files, [])


class JavaScript(Sources):
    def test_imports_of_all_kinds_are_uses(self):
        files = {"a.ts": 'import { b } from "./b";\nexport type { C } from "./c";\nimport "./d.js";', "b.ts": 'const e = await import("./e");', "c.ts": "", "d.js": '// import "./a"', "e/index.ts": 'import fs from "node:fs";'}
        folder = self.write(files)
        expected = {("a.ts", "b.ts"), ("a.ts", "c.ts"), ("a.ts", "d.js"), ("b.ts", "e/index.ts")}
        self.assertEqual(self.uses(javascript.edges(folder), folder), expected)


if __name__ == "__main__":
    unittest.main()
