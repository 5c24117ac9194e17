"""Names that give code, files, processes or the network to a pickle, in every opcode that can call them.

The payloads are written opcode by opcode, name nothing that exists outside this machine's harmless commands, and are
never loaded.
"""

from __future__ import annotations

import pytest

from redan.kernels.artifacts import inspect_bytes
from redan.kernels.artifacts.judgement.imports import judge_import

CODE = "import os; os.system('true')"

# (module, name, one argument or None for none)
STANDARD_LIBRARY = """
os.popen true|os.posix_spawn /bin/true|os.spawnlp x|os.startfile x|os.kill x|os.putenv x|os.fdopen x|os.truncate x
os.symlink x|os.makedirs x|os.rename x|os.listdir /|os.environ.get x|posix.execve x|posix.fork|nt.execv x
subprocess.Popen true|subprocess.run true|subprocess.call true|subprocess.getoutput true
subprocess._args_from_interpreter_flags|_posixsubprocess.fork_exec x|pty.spawn true|pty._copy x|popen2.popen3 true
commands.getoutput true|builtins.compile CODE|builtins.exec CODE|builtins.getattr os|builtins.setattr os|builtins.vars
builtins.globals|builtins.input|builtins.help os|builtins.memoryview x|builtins.type x|builtins.map x
builtins.filter x|builtins.dir|builtins.__build_class__ x|builtins.super|builtins.classmethod x|builtins.property x
builtins.exit|__builtin__.apply x|__builtin__.execfile /tmp/x|__builtin__.reload os|__builtin__.file /tmp/x
builtins.license|builtins.copyright|runpy.run_path /tmp/x.py|runpy.run_module os|runpy._run_module_code CODE
runpy._get_code_from_file x|code.InteractiveConsole.push CODE|code.interact|codeop.compile_command CODE
codeop.CommandCompiler CODE|pdb.Pdb.run CODE|pdb.runeval CODE|pdb.runcall x|bdb.Bdb.runctx CODE|bdb.Bdb.runeval CODE
profile.run CODE|profile.Profile.runctx CODE|cProfile.runctx CODE|cProfile.Profile.runcall x|trace.Trace.runfunc x
timeit.timeit CODE|timeit.repeat CODE|timeit.Timer CODE|doctest.testsource x|doctest.debug_src CODE
doctest.run_docstring_examples x|pip.main x|pip._internal.cli.main.main x|pip._vendor.distlib.scripts.ScriptMaker x
ensurepip._run_pip x|ensurepip.bootstrap|venv.main|venv.EnvBuilder x|zipapp.create_archive x|compileall.compile_file x
py_compile.compile x|webbrowser.open_new about:blank|webbrowser.get x|webbrowser.BackgroundBrowser x|pydoc.pipepager x
pydoc.importfile x|pydoc.safeimport os|importlib.import_module os|importlib.__import__ os|importlib.reload x
importlib._bootstrap._gcd_import os|importlib.machinery.SourceFileLoader x|importlib.util.module_from_spec x
importlib.resources.read_text x|importlib.metadata.EntryPoint.load x|pkgutil.get_loader os|pkgutil.walk_packages x
pkgutil.get_data x|imp.load_source x|imp.load_dynamic x|zipimport.zipimporter x|ctypes.CDLL libc.so.6|ctypes.PyDLL x
ctypes.cdll.LoadLibrary libc|ctypes.string_at x|ctypes.util._findLib_gcc x|_ctypes.dlopen x|types.FunctionType x
types.CodeType x|types.MethodType x|types.ModuleType os|types.SimpleNamespace.__setattr__ x|types.new_class x
multiprocessing.Process x|multiprocessing.pool.Pool|multiprocessing.managers.BaseManager x
multiprocessing.reduction.rebuild_connection x|concurrent.futures.process.ProcessPoolExecutor
concurrent.futures.thread.ThreadPoolExecutor|threading.Timer x|threading.Thread x|operator.methodcaller system
operator.call x|operator.setitem x|operator.attrgetter __globals__|functools.reduce x|functools.partialmethod x
functools.singledispatch x|functools.wraps x|itertools.starmap x|itertools.accumulate x|copy.deepcopy x
copy._reconstruct x|weakref.finalize x|weakref.ref x|atexit.register x|contextlib.ExitStack.callback x
contextlib.contextmanager x|enum._simple_enum x|collections.namedtuple x|dataclasses.make_dataclass x
typing.get_type_hints x|typing.NamedTuple x|typing.ForwardRef._evaluate x|string.Formatter.format x
string.Formatter.vformat x|random._test x|abc.ABCMeta x|inspect.getattr_static x|inspect.unwrap x
asyncio.create_subprocess_shell true|asyncio.run x|asyncio.unix_events._UnixSubprocessTransport._start x
asyncio.base_events.BaseEventLoop.subprocess_shell x|signal.signal x|signal.setitimer x|resource.setrlimit x
fcntl.ioctl x|mmap.mmap x|select.select x|selectors.DefaultSelector|sys.exit|sys.setprofile x|sys.settrace x
sys._getframe|sys.addaudithook x|sys.modules.get os|sys.meta_path.append x|gc.get_objects|platform.popen true
platform._syscmd_ver x|uuid._get_command_stdout x|uuid._popen x|sysconfig._main|site.addsitedir x
sysconfig.get_config_h_filename|lib2to3.pgen2.pgen.ParserGenerator.make_label x|lib2to3.pgen2.driver.load_grammar x
idlelib.calltip.get_entity CODE|idlelib.autocomplete.AutoComplete.get_entity CODE
idlelib.pyshell.ModifiedInterpreter.runcommand CODE|idlelib.run.Executive.runcode x
test.support.script_helper.assert_python_ok x|test.support.os_helper.rmtree x|unittest.mock._importer os
unittest.mock.patch x|unittest.main|unittest.loader.TestLoader.loadTestsFromName x|_osx_support._find_build_tool x
_aix_support._read_cmd_output x|_pyrepl.pager.plain_pager x|distutils.spawn.spawn x|distutils.core.run_setup x
distutils.dir_util.remove_tree x|setuptools.sandbox.run_setup x|logging.config.listen|logging.config.fileConfig x
logging.config._resolve os.system|logging.handlers.SocketHandler x|logging.FileHandler x|shutil.copyfile x
shutil.move x|shutil.unpack_archive x|shutil.chown x|pathlib.Path.unlink x|pathlib.Path.write_text x
pathlib.Path.read_bytes x|tempfile.mkdtemp|tempfile.NamedTemporaryFile|tempfile._mkstemp_inner x|glob.glob x
fileinput.input x|linecache.getline x|linecache.updatecache x|io.open x|io.FileIO x|_io.open_code x|io.TextIOWrapper x
_pyio.open x|_pyio.FileIO x|codecs.open x|codecs.lookup x|codecs.register x|gzip.open x|bz2.BZ2File x|lzma.open x
zipfile.ZipFile x|zipfile.main x|tarfile.open x|tarfile.TarFile.extractall x|sqlite3.connect x|dbm.open x
dbm.dumb.open x|shelve.open x|socket.socket|socket.create_server x|_socket.socket|ssl.SSLContext.wrap_socket x
ssl.get_server_certificate x|http.client.HTTPSConnection x|http.server.test|urllib.request.urlretrieve x
urllib.request.Request http://x|urllib.request.build_opener|urllib2.urlopen http://x|httplib.HTTPConnection x
urllib.robotparser.RobotFileParser.read|ftplib.FTP x|poplib.POP3 x|imaplib.IMAP4 x|imaplib.IMAP4_stream true
nntplib.NNTP x|telnetlib.Telnet x|smtplib.SMTP x|xmlrpc.client.ServerProxy http://x
xmlrpc.server.resolve_dotted_attribute x|socketserver.TCPServer x|smtpd.SMTPServer x|asyncore.dispatcher x
wsgiref.simple_server.make_server x|cgi.test|cgitb.lookup x|ast.literal_eval x|ast.parse x|symtable.symtable CODE
dis.dis CODE|tokenize.open x|tabnanny.check x|pyclbr.readmodule x|modulefinder.ModuleFinder.run_script x|json.load x
json.decoder.JSONDecoder x|configparser.ConfigParser.read x|csv.reader x|plistlib.load x|xml.sax.make_parser x
xml.etree.ElementTree.parse x|xml.dom.minidom.parse x|xml.dom.expatbuilder.parse x
xml.sax.saxutils.prepare_input_source x|netrc.netrc x|mailcap.findmatch x|mailbox.Maildir x|mimetypes.init x
locale.getdefaultlocale|gettext.translation x|gettext.c2py CODE|getpass.getpass|getopt.getopt x|optparse.OptionParser
argparse.FileType x|argparse.ArgumentParser.parse_args x|readline.read_history_file x
rlcompleter.Completer.attr_matches x|cmd.Cmd.cmdloop|sched.scheduler x|queue.SimpleQueue.put x|turtle.Turtle
turtledemo.__main__.DemoWindow.loadfile x|tkinter.Tk|tkinter.Tcl|curses.initscr|curses.wrapper x|_tkinter.create x
nturl2path.url2pathname x|ntpath.expandvars x|posixpath.expanduser x|genericpath.getsize x|warnings.catch_warnings
warnings._getcategory x|traceback.print_exc|tracemalloc.start|faulthandler.enable|pickle.Unpickler x|_pickle.loads x
pickle._loads x|pickletools.dis x|marshal.loads x|marshal.load x|pstats.Stats x|hmac.new x|hashlib.file_digest x
secrets.token_bytes x|sre_compile.compile x|re.compile x|_xxsubinterpreters.run_string CODE|_interpreters.exec CODE
_testcapi.run_in_subinterp CODE|_testinternalcapi.set_eval_frame_default|_thread.start_new_thread x
_imp.create_dynamic x|_winapi.CreateProcess x|msvcrt.open_osfhandle x|winreg.SetValue x
_frozen_importlib._call_with_frames_removed x|_frozen_importlib_external.SourceFileLoader.get_data x
_collections_abc.MutableMapping.update x|_weakrefset.WeakSet x|_bootsubprocess.Popen x|_sitebuiltins.Quitter x
_compat_pickle.NAME_MAPPING.update x|this.s x|antigravity.geohash x|graphlib.TopologicalSorter x|pyexpat.ParserCreate
_elementtree.XMLParser|audioop.add x|crypt.crypt x|spwd.getspnam x|pwd.getpwnam x|syslog.syslog x|ossaudiodev.open x
"""

PACKAGES = """
numpy.testing._private.utils.runstring CODE|numpy.testing.rundocs x|numpy.testing.assert_raises x
numpy.f2py.crackfortran.getlincoef CODE|numpy.f2py.crackfortran.param_eval CODE|numpy.f2py.crackfortran.myeval CODE
numpy.f2py.diagnose.run_command x|numpy.f2py.compile CODE|numpy.distutils.exec_command.exec_command true
numpy.distutils.misc_util.exec_mod_from_location x|numpy.load x|numpy.fromfile x|numpy.memmap x
numpy.lib.npyio.loadtxt x|numpy.lib.format.open_memmap x|numpy.lib._datasource.open x|numpy.vectorize os.system
numpy.fromfunction x|numpy.apply_over_axes x|numpy.frompyfunc x|numpy.piecewise x|numpy.rec.fromfile x
numpy.ma.mrecords.fromtextfile x|numpy.core.records.fromfile x|numpy.ctypeslib.load_library x|numpy.show_config
numpy.lib.utils.safe_eval CODE|numpy.lib.utils._makenamedict x|numpy.core._internal._ctypes x|numpy.set_numeric_ops x
numpy.setbufsize x|numpy.core.fromnumeric._wrapfunc x|numpy._core.fromnumeric._wrapfunc x
numpy.testing._private.extbuild.compile_extension_module x|numpy._pytesttester.PytestTester import os|numpy.tofile x
scipy.io.loadmat x|scipy.io.wavfile.read x|scipy.sparse.load_npz x|scipy.optimize.minimize x|scipy.integrate.quad x
scipy.LowLevelCallable x|scipy._lib._util._lazywhere x|scipy._lib.decorator.FunctionMaker.create CODE
scipy._lib._testutils.PytestTester os.system|scipy.datasets.face|scipy.optimize._lsq.least_squares x|torch.load x
torch.hub.load x|torch.hub.download_url_to_file http://x|torch.jit.load x|torch.jit.CompilationUnit CODE
torch.jit.frontend.get_jit_def x|torch.compile x|torch.save x|torch.distributed.rpc.rpc_sync x
torch.distributed.launch.main|torch.distributed.init_process_group x|torch.multiprocessing.spawn x
torch.multiprocessing.reductions.rebuild_storage_filename x|torch.utils.bottleneck.__main__.run_autograd_prof CODE
torch.utils.collect_env.run true|torch.utils.cpp_extension.load x|torch.utils.cpp_extension.load_inline x
torch.utils.file_baton.FileBaton x|torch.utils.data.datapipes.utils.decoder.ImageHandler x
torch.utils.data.DataLoader x|torch.utils.data.datapipes.iter.callable.MapperIterDataPipe x
torch.utils._config_module.ConfigModule.load_config x|torch.utils.hipify.hipify_python.hipify x
torch.utils.model_dump.main|torch.utils.checkpoint.checkpoint x|torch.utils.model_zoo.load_url x
torch.utils._pytree.tree_map x|torch._dynamo.guards.GuardBuilder.get x|torch._dynamo.utils.import_submodule x
torch._inductor.codecache.compile_file x|torch._inductor.select_algorithm.TritonTemplate x
torch._inductor.utils.run_and_get_code x|torch.fx.graph_module._exec_with_source CODE
torch.fx.graph_module._forward_from_src CODE|torch.fx.graph_module.reduce_graph_module x
torch.fx.experimental.symbolic_shapes.ShapeEnv.evaluate_guards_expression CODE|torch.package.PackageImporter x
torch.package.package_importer.PackageImporter.load_pickle x|torch.onnx.export x|torch.ops.load_library x
torch.classes.load_library x|torch.library.custom_op x|torch.testing._internal.common_utils.shell x
torch.testing._internal.inductor_utils.run x|torch.cuda.jiterator.create_jit_fn CODE
torch.cuda._sanitizer.zip_by_key x|torch.backends.xeon.run_cpu.main|torch.serialization.load x
torch.serialization._open_file x|torch.serialization._load x|torch.storage._share_filename_cpu x|torch.from_file x
torch.UntypedStorage.from_file x|torch._weights_only_unpickler.load x|torch.overrides.handle_torch_function x
torch.autograd.functional.jacobian x|torch.func.vmap x|torch.map x|torch._C._jit_script_compile x
torch._C.import_ir_module x|torch._utils_internal.get_file_path x|torch._lobpcg.LOBPCG.call_tracker x
torch._appdirs.user_data_dir x|torch._namedtensor_internals.resolve_ellipsis x|torch._jit_internal.boolean_dispatch x
torch._sources.get_source_lines_and_file x|torch.ao.quantization.fx.utils.get_custom_module_class_keys x
torch.nn.utils.parametrize.register_parametrization x|torch.nn.parallel.replicate.replicate x|torch.profiler.profile x
pandas.read_pickle x|pandas.read_csv x|pandas.read_clipboard|pandas.eval CODE|pandas.io.common.get_handle x
pandas.io.pickle.to_pickle x|pandas.core.computation.eval.eval CODE|pandas.DataFrame.query x
pandas.DataFrame.eval CODE|pandas.core.frame.DataFrame.to_csv x|pandas.util._print_versions.show_versions
pandas.util._tester.test|pandas.compat._optional.import_optional_dependency os|pandas.core.apply.frame_apply x
joblib.load x|joblib.dump x|joblib.numpy_pickle.load x|joblib.memory.Memory /etc/cron.d
joblib.func_inspect.get_func_code x|joblib.externals.loky.backend.spawn.prepare x
joblib._store_backends.FileSystemStoreBackend /root/x|joblib.parallel.BatchedCalls os.system
joblib.externals.cloudpickle.cloudpickle._make_function x|joblib.externals.cloudpickle.cloudpickle.subimport os
joblib.disk.delete_folder x|joblib.numpy_pickle.NDArrayWrapper.read x|sklearn.datasets.fetch_openml x
sklearn.datasets.load_files x|sklearn.utils._testing.assert_run_python_script x|sklearn.utils.fixes._open_text x
sklearn.externals.joblib.load x|sklearn.base.clone x|sklearn.model_selection.cross_val_score x
sklearn.utils.parallel._FuncWrapper.__call__ x|sklearn.externals._arff.load x|sklearn.pipeline._fit_transform_one x
dill.loads x|dill._dill._create_function x|dill._dill._import_module os|dill._dill._load_type x
dill._dill._eval_repr CODE|dill.source.getsource x|dill.temp.load x|dill._dill._create_code x|dill._dill._get_attr x
cloudpickle.loads x|cloudpickle.cloudpickle.subimport os|cloudpickle.cloudpickle._builtin_type CodeType
cloudpickle.cloudpickle._make_function x|cloudpickle.cloudpickle_fast._fill_function x
cloudpickle.cloudpickle.dynamic_subimport x|yaml.load x|yaml.unsafe_load x|ruamel.yaml.YAML.load x|jsonpickle.decode x
jsonpickle.unpickler.loadclass os|hickle.load x|srsly.pickle_loads x|skops.io.load x|klepto.archives.dir_archive x
requests.get http://x|requests.api.post http://x|requests.sessions.Session.get http://x|urllib3.PoolManager.request x
aiohttp.request x|httpx.get http://x|httplib2.Http.request x|websocket.create_connection x
paramiko.SSHClient.connect x|IPython.core.interactiveshell.InteractiveShell x|IPython.utils.process.getoutput x
IPython.lib.editorhooks.install_editor x|ipykernel.kernelapp.launch_new_instance|nbconvert.exporters.export x
notebook.app.launch_new_instance|transformers.pipeline x|transformers.AutoModel.from_pretrained evil/repo
transformers.utils.import_utils._LazyModule x|transformers.dynamic_module_utils.get_class_from_dynamic_module x
transformers.utils.hub.cached_file x|transformers.testing_utils.execute_subprocess_async x
transformers.agents.python_interpreter.evaluate CODE|huggingface_hub.snapshot_download x
huggingface_hub.keras_mixin.KerasModelHubMixin x|datasets.load_dataset x|datasets.utils.py_utils.Pickler x
keras.models.load_model x|keras.saving.load_model x|keras.utils.get_file http://x
keras.src.saving.serialization_lib.deserialize_keras_object x|keras.src.utils.python_utils.func_load x
keras.config.enable_unsafe_deserialization|tensorflow.keras.models.load_model x|tensorflow.io.write_file x
tensorflow.py_function x|tensorflow.python.ops.script_ops.py_func x|tensorflow.python.lib.io.file_io.FileIO x
tensorflow.load_op_library x|tensorflow.saved_model.load x|xgboost.DMatrix x|xgboost.core._load_lib
xgboost.tracker.RabitTracker curl http://x|lightgbm.Dataset x|lightgbm.libpath._find_lib_path|catboost.utils.read_cd x
onnxruntime.InferenceSession x|onnx.load x|h5py.File x|safetensors.torch.load_file x|sympy.sympify CODE
sympy.parsing.sympy_parser.eval_expr CODE|sympy.utilities.lambdify.lambdify x|numexpr.evaluate CODE|nltk.data.load x
nltk.app.wordnet_app.start x|gensim.models.Word2Vec.load /tmp/x|spacy.load x|jinja2.Template x
jinja2.environment.Environment.from_string x|mako.template.Template x|matplotlib.pyplot.savefig x|PIL.Image.open x
cv2.imread x|ray.remote x|dask.delayed x|distributed.client.Client x|fsspec.open http://x|smart_open.open http://x
boto3.client x|pyarrow.fs.LocalFileSystem x|numba.core.serialize._unpickle__CustomPickled x|pkg_resources.run_script x
pkg_resources.EntryPoint.load|pexpect.spawn true|sh.Command true|fabric.Connection.run true|psutil.Popen true
plumbum.local x|invoke.run true|docker.from_env|kubernetes.config.load_kube_config|setuptools.setup x
git.Repo.clone_from x|wandb.init x|mlflow.pyfunc.load_model x|mlflow.artifacts.download_artifacts x
comet_ml.Experiment x|gdown.download http://x|kaggle.api x|pymongo.MongoClient x|psycopg2.connect x
sqlalchemy.create_engine x|redis.Redis x|hydra.utils.instantiate x|omegaconf.OmegaConf.load x
hydra._internal.utils._locate os.system|nemo.core.classes.common.Serialization.from_config_dict x
pytorch_lightning.utilities.parsing.save_hyperparameters x|lightning.fabric.utilities.cloud_io._load x
deepspeed.launcher.runner.main|accelerate.utils.launch.PrepareForLaunch x|picklescan.scanner.scan_file_path x
fickling.fickle.Pickled.load x|modelscan.modelscan.ModelScan x|llama_cpp.Llama x|vllm.LLM x
langchain.llms.loading.load_llm x|langchain_experimental.utilities.PythonREPL.run CODE|gradio.Interface.load x
streamlit.web.cli.main|flask.Flask.run|evilpkg.run_command true|helper.do_download https://x.y/z
pkg.loader.load_model /tmp/model.pkl|somepkg.utils.shell ls|company.tools.Executor rm -rf /|acme.util.apply os.system
my.backdoor http://x.y|a.b.C CODE|quux.q.z curl http://x|lib.jobs.submit /etc/passwd
"""


def split(path: str) -> tuple[str, str]:
    """Module and qualified name: the name begins at the first part that is spelled like a class."""
    parts = path.split(".")
    cut = next((i for i, part in enumerate(parts) if i and part.lstrip("_")[:1].isupper()), len(parts) - 1)
    return ".".join(parts[:cut]), ".".join(parts[cut:])


def table(text: str) -> list[tuple[str, str, str]]:
    entries = [entry.partition(" ") for line in text.strip().splitlines() for entry in line.split("|")]
    return [(*split(path), CODE if argument == "CODE" else argument) for path, _, argument in entries]


def short(text: str) -> bytes:
    raw = text.encode()
    return b"\x8c" + bytes([len(raw)]) + raw


def line(text: str) -> bytes:
    return b"X" + len(text.encode()).to_bytes(4, "little") + text.encode()


def by_reduce(module: str, name: str, argument: str) -> bytes:
    tail = line(argument) + b"\x85R." if argument else b")R."
    return b"\x80\x04" + short(module) + short(name) + b"\x93" + tail


def by_global(module: str, name: str, argument: str) -> bytes:
    tail = line(argument) + b"tR." if argument else b"tR."
    return b"\x80\x02c" + f"{module}\n{name}\n".encode() + b"(" + tail


def by_inst(module: str, name: str, argument: str) -> bytes:
    return b"(" + (line(argument) if argument else b"") + b"i" + f"{module}\n{name}\n".encode() + b"."


def by_obj(module: str, name: str, argument: str) -> bytes:
    return b"(c" + f"{module}\n{name}\n".encode() + (line(argument) if argument else b"") + b"o."


def by_map(module: str, name: str, argument: str) -> bytes:
    """A partial whose result is called."""
    inner = b"c" + f"{module}\n{name}\n".encode() + (line(argument) if argument else b"")
    return b"\x80\x02cfunctools\npartial\n(" + inner + b"tR)R."


SHAPES = (by_reduce, by_global, by_inst, by_obj, by_map)
GADGETS = table(STANDARD_LIBRARY) + table(PACKAGES)


def test_there_are_several_hundred_gadgets():
    assert len(GADGETS) >= 400


@pytest.mark.parametrize("shape", SHAPES)
def test_every_gadget_is_unsafe_by_every_calling_opcode(shape):
    missed = [
        (f"{module}.{name}", reading.verdict, [reason.message for reason in reading.reasons])
        for module, name, argument in GADGETS
        if (reading := inspect_bytes(shape(module, name, argument), "model.pkl")).verdict != "unsafe"
    ]
    assert not missed


def test_no_gadget_is_safe_as_a_mere_reference():
    named = {f"{module}.{name}": b"\x80\x04" + short(module) + short(name) + b"\x93." for module, name, _ in GADGETS}
    safe = {path for path, data in named.items() if inspect_bytes(data, "model.pkl").verdict == "safe"}
    # Classes and functions that honest objects refer to; what is done with them is judged at the call.
    assert all(judge_import(*split(path)).grade in ("class", "special", "value") for path in safe)
    assert len(safe) < 20


@pytest.mark.parametrize(("module", "name"), [(m, n) for m, n, a in GADGETS if not a])
def test_gadget_hidden_in_honest_data_is_unsafe(module, name):
    import_it = short(module) + short(name) + b"\x93)R"
    hidden = b"\x80\x04}(" + short("weights") + b"]K\x01aK\x02a" + short("bias") + import_it + b"u."
    assert inspect_bytes(hidden, "model.pkl").verdict == "unsafe"
