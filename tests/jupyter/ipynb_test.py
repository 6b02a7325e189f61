"""Notes as notebooks and back, with Jupyter's own tools as the judges."""
import json
import os
import pathlib
import subprocess
import tempfile
import unittest

import nbconvert
import nbformat
from nbclient import NotebookClient

PEAPOD = os.environ["PEAPOD"]
NOTES = pathlib.Path(__file__).resolve().parents[2] / "notes"
SEED = NOTES / "파드에 대해서.md"

STRANGE = """\
---
tags: [a]
---

Prose without a heading, and [[Job|a link]], [[no such note]], ![[no.png]].
# A heading


```yaml {#web .wide}
apiVersion: v1
kind: Pod
metadata: {name: web}
spec: {containers: [{name: c, image: busybox, command: [sleep, "9"]}]}
```
Directly under it.

> ```yaml
> apiVersion: v1
> kind: Pod
> ```

```yaml
apiVersion: v1
kind: Pod
metadata: {name: WRONG}
```

~~~~console
$ kubectl get pods | wc -l
2
$ kubectl get pod none
Error from server (NotFound): …
~~~~

```peapod
%now
```
  
## Last"""


def peapod(*arguments):
    done = subprocess.run([PEAPOD, *map(str, arguments)], capture_output=True, text=True, timeout=60)
    if done.returncode:
        raise AssertionError(done.stderr)
    return done.stdout


class Notebooks(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def write(self, name, text):
        path = self.folder / name
        path.write_text(text, encoding="utf-8", newline="")
        return path

    def export(self, note):
        text = peapod("export", note, "--to", "ipynb", "-o", "-")
        book = nbformat.reads(text, as_version=4)
        nbformat.validate(book)
        return text, book

    def there_and_back(self, note):
        text, _ = self.export(note)
        return peapod("import", self.write("back.ipynb", text), "-o", "-")

    def test_every_note_is_the_same_when_it_comes_back(self):
        for note in sorted(NOTES.rglob("*.md")):
            with self.subTest(note=note.name):
                self.assertEqual(self.there_and_back(note), note.read_text(encoding="utf-8"))

    def test_what_is_strange_comes_back_too(self):
        for at, text in enumerate([STRANGE, "", "\n\n", "# only\n", "a\n\n\n", "```yaml\nkind: Pod\napiVersion: v1\n"]):
            with self.subTest(at=at):
                self.assertEqual(self.there_and_back(self.write(f"n{at}.md", text)), text)

    def test_saving_in_jupyter_changes_nothing(self):
        text, book = self.export(SEED)
        self.assertEqual(nbformat.writes(book) + "\n", text)

    def test_the_notebook_of_the_seed_note_runs_and_gives_what_it_holds(self):
        text, book = self.export(SEED)
        NotebookClient(book, timeout=60, record_timing=False).execute()
        self.assertEqual(json.loads(nbformat.writes(book)), json.loads(text))

    def test_a_strange_notebook_runs_too(self):
        _, book = self.export(self.write("strange.md", STRANGE))
        kinds = [(cell.cell_type, cell.metadata.get("tags", [])) for cell in book.cells if cell.cell_type == "code"]
        self.assertIn(("code", ["raises-exception"]), kinds)
        NotebookClient(book, timeout=60).execute()

    def test_nbconvert_runs_it(self):
        text, _ = self.export(SEED)
        path = self.write("seed.ipynb", text)
        book = nbformat.read(path, as_version=4)
        nbconvert.preprocessors.ExecutePreprocessor(timeout=60).preprocess(book, {})
        html, _ = nbconvert.HTMLExporter().from_notebook_node(book)
        self.assertIn("pod/", html)
        self.assertNotIn("<svg onload", html)

    def test_images_are_put_in_and_come_out(self):
        (self.folder / "dot.png").write_bytes(b"\x89PNG\r\n\x1a\n")
        note = self.write("image.md", "![[dot.png]] and ![a](dot.png)\n")
        text, book = self.export(note)
        self.assertEqual(list(book.cells[0].attachments), ["dot.png"])
        (self.folder / "new").mkdir()
        book.cells[0].source += "\nmore"
        other = self.folder / "new" / "image.ipynb"
        other.write_text(nbformat.writes(book), encoding="utf-8")
        peapod("import", other)
        self.assertEqual((self.folder / "new" / "dot.png").read_bytes(), b"\x89PNG\r\n\x1a\n")
        self.assertIn("](dot.png)", (self.folder / "new" / "image.md").read_text(encoding="utf-8"))

    def test_a_notebook_of_somebody_else_is_a_note(self):
        book = nbformat.v4.new_notebook(metadata={"kernelspec": {"name": "python3", "display_name": "x", "language": "python"}})
        book.cells = [nbformat.v4.new_markdown_cell("# T"), nbformat.v4.new_code_cell("s = '''\n```\n'''")]
        text = peapod("import", self.write("x.ipynb", nbformat.writes(book)), "-o", "-")
        self.assertEqual(text, "# T\n\n````python\ns = '''\n```\n'''\n````\n")

    def test_new_cells_become_fences(self):
        _, book = self.export(self.write("n.md", "# T\n"))
        for code in ("kubectl get pods\nkubectl get nodes", "%advance 3s", "kind: Pod\napiVersion: v1", "$ kubectl get ns\nNAME …"):
            book.cells.append(nbformat.v4.new_code_cell(code))
        text = peapod("import", self.write("x.ipynb", nbformat.writes(book)), "-o", "-")
        for fence in (
            "```console\n$ kubectl get pods\n$ kubectl get nodes\n```",
            "```peapod\n%advance 3s\n```",
            "```yaml\nkind: Pod\napiVersion: v1\n```",
            "```console\n$ kubectl get ns\nNAME …\n```",
        ):
            self.assertIn(fence, text)


if __name__ == "__main__":
    unittest.main()
