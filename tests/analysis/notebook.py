"""Runs the cells of a notebook in order, as Jupyter does, and compares what they show.

usage: notebook.py check|bless NOTEBOOK

Text must be what the notebook has, and pictures must be as many and as large; their bytes
depend on the version of the libraries. `bless` writes what the cells show into it.
"""

import ast
import base64
import contextlib
import io
import json
import pathlib
import struct
import sys

import matplotlib

matplotlib.use("agg")
import matplotlib.pyplot as plt

STYLE = {"figure.figsize": (6, 3), "figure.dpi": 72, "figure.constrained_layout.use": True}


def lines(text):
    return text.splitlines(keepends=True)


def run(source, names):
    """The outputs of a cell: what it prints, its last value, and figures."""
    body = ast.parse(source).body
    last = body.pop() if body and isinstance(body[-1], ast.Expr) else None
    outputs = []
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(ast.Module(body, []), "cell", "exec"), names)
        value = last and eval(compile(ast.Expression(last.value), "cell", "eval"), names)
    if printed.getvalue():
        text = lines(printed.getvalue())
        outputs.append({"name": "stdout", "output_type": "stream", "text": text})
    if value is not None:
        data = {"text/plain": lines(repr(value))}
        output = {"data": data, "execution_count": None, "metadata": {}}
        outputs.append({**output, "output_type": "execute_result"})
    for number in plt.get_fignums():
        picture = io.BytesIO()
        plt.figure(number).savefig(picture, format="png", metadata={"Software": None})
        data = {"image/png": base64.b64encode(picture.getvalue()).decode()}
        outputs.append({"data": data, "metadata": {}, "output_type": "display_data"})
    plt.close("all")
    return outputs


def comparable(output):
    """An output, with a picture's width and height in place of the picture."""
    picture = output.get("data", {}).get("image/png")
    if picture is None:
        return {key: output[key] for key in ("text", "data") if key in output}
    return struct.unpack(">II", base64.b64decode(picture)[16:24])


def main(action, path):
    path = pathlib.Path(path)
    notebook = json.loads(path.read_text())
    plt.rcParams.update(STYLE)
    names = {"__name__": "__main__"}
    pictures = 0
    for number, cell in enumerate(notebook["cells"]):
        if cell["cell_type"] != "code":
            continue
        outputs = run("".join(cell["source"]), names)
        pictures += sum("image/png" in output.get("data", {}) for output in outputs)
        if action == "bless":
            cell["outputs"] = outputs
            continue
        expected, shown = (list(map(comparable, o)) for o in (cell["outputs"], outputs))
        if shown != expected:
            sys.exit(f"cell {number} shows\n{shown}\nand not\n{expected}")
    if action == "bless":
        path.write_text(json.dumps(notebook, indent=1, ensure_ascii=False) + "\n")
    print(pictures, "pictures")


if __name__ == "__main__":
    main(*sys.argv[1:])
