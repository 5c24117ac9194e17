"""Which argument of a call is executed, unpickled, opened, fetched or asked of a database."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from redan.kernels.code.calls import Argument, Call
from redan.kernels.code.module import Module

PICKLES: Mapping[str, tuple[str, int]] = {
    "pickle.load": ("file", 0),
    "pickle.loads": ("data", 0),
    "pickle.Unpickler": ("file", 0),
    "_pickle.load": ("file", 0),
    "_pickle.loads": ("data", 0),
    "_pickle.Unpickler": ("file", 0),
    "cPickle.load": ("file", 0),
    "cPickle.loads": ("data", 0),
    "pickle5.load": ("file", 0),
    "pickle5.loads": ("data", 0),
    "dill.load": ("file", 0),
    "dill.loads": ("str", 0),
    "dill.load_session": ("filename", 0),
    "dill.load_module": ("filename", 0),
    "cloudpickle.load": ("file", 0),
    "cloudpickle.loads": ("data", 0),
    "joblib.load": ("filename", 0),
    "sklearn.externals.joblib.load": ("filename", 0),
    "pandas.read_pickle": ("filepath_or_buffer", 0),
    "shelve.open": ("filename", 0),
    "jsonpickle.decode": ("string", 0),
    "jsonpickle.loads": ("string", 0),
    "compress_pickle.load": ("path", 0),
    "hickle.load": ("file", 0),
    "marshal.loads": ("bytes", 0),
    "marshal.load": ("file", 0),
    "ray.cloudpickle.loads": ("data", 0),
    "srsly.pickle_loads": ("data", 0),
}
"""Functions that run whatever the pickle says."""

EVALUATED: Mapping[str, tuple[str, int]] = {
    "builtins.eval": ("", 0),
    "builtins.exec": ("", 0),
    "builtins.compile": ("source", 0),
    "builtins.execfile": ("", 0),
    "code.InteractiveInterpreter().runsource": ("source", 0),
    "code.InteractiveConsole().push": ("line", 0),
    "runpy.run_path": ("path_name", 0),
    "pandas.eval": ("expr", 0),
    "numexpr.evaluate": ("ex", 0),
    "asteval.Interpreter()": ("", 0),
    "importlib.import_module": ("name", 0),
    "builtins.__import__": ("name", 0),
}
SHELLS: Mapping[str, tuple[str, int]] = {
    "os.system": ("command", 0),
    "os.popen": ("cmd", 0),
    "subprocess.getoutput": ("cmd", 0),
    "subprocess.getstatusoutput": ("cmd", 0),
    "asyncio.create_subprocess_shell": ("cmd", 0),
    "commands.getoutput": ("cmd", 0),
}
SPAWNS: Mapping[str, tuple[str, int]] = {
    "subprocess.run": ("args", 0),
    "subprocess.call": ("args", 0),
    "subprocess.check_call": ("args", 0),
    "subprocess.check_output": ("args", 0),
    "subprocess.Popen": ("args", 0),
}
OPENED: Mapping[str, tuple[str, int]] = {
    "builtins.open": ("file", 0),
    "io.open": ("file", 0),
    "torch.load": ("f", 0),
    "torch.jit.load": ("f", 0),
    "joblib.load": ("filename", 0),
    "numpy.load": ("file", 0),
    "pandas.read_csv": ("filepath_or_buffer", 0),
    "pandas.read_pickle": ("filepath_or_buffer", 0),
    "keras.models.load_model": ("filepath", 0),
    "tensorflow.keras.models.load_model": ("filepath", 0),
    "tensorflow.saved_model.load": ("export_dir", 0),
    "safetensors.torch.load_file": ("filename", 0),
    "onnxruntime.InferenceSession": ("path_or_bytes", 0),
    "mlflow.pyfunc.load_model": ("model_uri", 0),
    "flask.send_file": ("path_or_file", 0),
    "fastapi.responses.FileResponse": ("path", 0),
    "starlette.responses.FileResponse": ("path", 0),
    "aiohttp.web.FileResponse": ("path", 0),
    "shutil.rmtree": ("path", 0),
    "shutil.copy": ("src", 0),
    "os.remove": ("path", 0),
    "os.listdir": ("path", 0),
    "pathlib.Path().read_text": ("", -1),
    "pathlib.Path().read_bytes": ("", -1),
    "pathlib.Path().write_bytes": ("", -1),
    "pathlib.Path().open": ("", -1),
}
FETCHED: Mapping[str, tuple[str, int]] = {
    **{
        f"{m}.{v}": ("url", 0)
        for m in ("requests", "httpx")
        for v in ("get", "post", "put", "head", "delete", "stream")
    },
    "requests.request": ("url", 1),
    "requests.Session().get": ("url", 0),
    "requests.Session().post": ("url", 0),
    "httpx.Client().get": ("url", 0),
    "httpx.AsyncClient().get": ("url", 0),
    "httpx.AsyncClient().post": ("url", 0),
    "aiohttp.ClientSession().get": ("url", 0),
    "aiohttp.ClientSession().post": ("url", 0),
    "urllib.request.urlopen": ("url", 0),
    "urllib.request.urlretrieve": ("url", 0),
    "mlflow.artifacts.download_artifacts": ("artifact_uri", 0),
}


def arguments(module: Module, table: Mapping[str, tuple[str, int]]) -> Iterator[tuple[Call, Argument]]:
    """Yield the calls of a table's functions, each with the argument that the table names."""
    for call in module.called(*table):
        word, place = next(table[name] for name in call.names if name in table)
        argument = call.argument(word, place) if word or place >= 0 else None
        if argument is None and place < 0:
            argument = Argument(call.node.func, call.scope)  # the object that the method belongs to
        if argument is not None:
            yield call, argument


def commands(module: Module) -> Iterator[tuple[Call, Argument]]:
    """Yield the calls that give a text to a shell, with the text."""
    yield from arguments(module, SHELLS)
    for call, argument in arguments(module, SPAWNS):
        if call.value("shell") is True:
            yield call, argument


def executions(module: Module) -> Iterator[tuple[Call, Argument]]:
    """Yield everything that runs an argument: as Python, in a shell, or as a program."""
    yield from arguments(module, EVALUATED)
    yield from arguments(module, SHELLS)
    yield from arguments(module, SPAWNS)


def unpicklings(module: Module) -> Iterator[tuple[Call, Argument]]:
    """Yield the calls that run what a pickle or an unsafe YAML says, with where it comes from."""
    yield from arguments(module, PICKLES)
    for call in module.called("torch.load"):
        argument = call.argument("f", 0)
        if argument is not None and call.value("weights_only") is not True:
            yield call, argument
    for call in module.called("numpy.load"):
        argument = call.argument("file", 0)
        if argument is not None and call.value("allow_pickle", 2) is True:
            yield call, argument
    for call in module.called("yaml.load", "yaml.unsafe_load", "yaml.full_load"):
        argument = call.argument("stream", 0)
        loader = call.argument("Loader", 1)
        safe = loader is not None and any("Safe" in name or "Base" in name for name in module.names(loader))
        if argument is not None and not safe:
            yield call, argument


def queries(module: Module) -> Iterator[tuple[Call, Argument]]:
    """Yield the calls that give a text to a database, with the text."""
    for name, call in module.ending(".execute", ".executemany", ".executescript", ".read_sql", ".read_sql_query"):
        if name.startswith(("kubernetes.", "docker.")):
            continue
        argument = call.first()
        if argument is not None:
            yield call, argument
    for call in module.called("sqlalchemy.text", "sqlalchemy.sql.text"):
        argument = call.first()
        if argument is not None:
            yield call, argument


def templates(module: Module) -> Iterator[tuple[Call, Argument]]:
    """Yield the calls that compile a text as a Jinja template outside of a sandbox, with the text."""
    for call in module.called(
        "jinja2.Template",
        "jinja2.Environment().from_string",
        "jinja2.environment.Environment().from_string",
        "flask.render_template_string",
        "mako.template.Template",
    ):
        argument = call.first()
        if argument is not None:
            yield call, argument
