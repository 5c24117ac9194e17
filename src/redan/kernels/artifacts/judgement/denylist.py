"""Names that no saved model needs and that give code, files, processes or the network to whoever names them.

The allow-list decides what is safe; this list only tells unsafe from unknown, and says why.
"""

from __future__ import annotations

import re

_MODULES: dict[str, str] = {
    "runs operating-system commands or changes processes": """
        os posix nt subprocess pty popen2 commands sys signal _posixsubprocess _winapi msvcrt resource asyncio
        multiprocessing concurrent threading _thread sched _osx_support _aix_support _pyrepl platform pexpect
        ptyprocess psutil sh plumbum invoke fabric paramiko docker kubernetes ansible joblib.externals.loky
        torch.distributed torch.multiprocessing torch.utils.bottleneck torch.utils.cpp_extension
        torch.utils.collect_env torch.testing torch._inductor torch._dynamo torch.utils.data numpy.distutils
        numpy.f2py numpy.testing scipy._lib.decorator scipy.weave setuptools distutils pkg_resources pip ensurepip
        venv virtualenv conda horovod deepspeed.launcher celery luigi airflow prefect""",
    "executes or compiles code that it is given": """
        runpy code codeop bdb pdb profile cProfile trace timeit doctest pydoc pydoc_data importlib imp _imp pkgutil
        zipimport py_compile compileall dis inspect ast symtable idlelib lib2to3 test.support test.libregrtest
        test.regrtest test.pythoninfo test.autotest unittest turtledemo tkinter _testcapi _testinternalcapi xdrlib
        this antigravity IPython ipykernel jupyter_client notebook nbconvert execnet cffi pycparser cython
        pyximport llvmlite jinja2 mako chameleon tornado.template RestrictedPython asteval nltk.app simpleeval
        numexpr sympy.parsing sympy.core.sympify sympy.sympify sympy.utilities.lambdify pandas.core.computation
        pandas.eval hydra.utils hydra._internal hydra.core accelerate.utils.launch accelerate.commands
        tensorflow.py_function tensorflow.numpy_function tensorflow.raw_ops tensorflow.load_op_library
        tensorflow.load_library tensorflow.keras.utils tensorflow.python.framework.load_library
        scipy.LowLevelCallable zipapp tabnanny pyclbr modulefinder gettext.c2py abc.ABCMeta
        contextlib.contextmanager weakref.finalize _bootsubprocess torch.fx torch.package torch.jit torch.onnx
        torch.export torch._export torch.ops torch._ops torch.classes torch._classes torch.library torch.hub
        torch.compiler torch.cuda.jiterator transformers.dynamic_module_utils transformers.pipelines
        transformers.pipeline transformers.utils.import_utils transformers.file_utils keras.src.utils.python_utils
        keras.utils.python_utils keras.config keras.src.saving.saving_lib keras.src.saving.saving_api
        keras.src.saving.serialization_lib keras.saving theano tvm execjs js2py dash gradio streamlit""",
    "loads another serialised object": """
        pickle _pickle cPickle pickletools dill cloudpickle marshal shelve dbm jsonpickle yaml ruamel _yaml
        joblib.externals.cloudpickle joblib.load pandas.io pandas.compat.pickle_compat pandas.core.io
        pandas.read_pickle torch.load torch.serialization.load torch.serialization._legacy_load
        sklearn.externals.joblib.load sklearn.datasets xmlrpc plistlib srsly catalogue hickle klepto
        numpy.lib.npyio numpy.lib._npyio_impl scipy.io keras.models keras.src.legacy.saving skops.io
        safetensors.torch.load_file tensorflow.keras.models tensorflow.saved_model spacy.load datasets.load_dataset
        datasets.load_from_disk onnxruntime.InferenceSession numba.core.serialize tensorflow.compat h5py.File
        tensorflow.io tensorflow.python.lib.io tensorflow.python.ops.script_ops datasets.utils tensorflow_hub.load
        torchaudio.load diffusers.utils gensim.utils.unpickle""",
    "reads or writes files": """
        io _io shutil tempfile glob fileinput fnmatch filecmp linecache zipfile tarfile gzip bz2 lzma mmap sqlite3
        _sqlite3 csv netrc configparser mailbox posixpath ntpath genericpath codecs tokenize distlib wheel fsspec
        cv2 imageio decord skimage.io matplotlib.pyplot matplotlib.image onnx.load onnx.load_model onnx.save
        onnx.external_data_helper nltk.data nltk.downloader _pyio torch.utils.file_baton
        torch.serialization._open_file pyarrow.memory_map smart_open s3fs gcsfs PIL.ImageShow logging.config
        logging.handlers torchvision.io torch.utils.tensorboard numpy.memmap sklearn.externals
        sklearn.utils._testing sklearn.conftest sklearn._build_utils""",
    "opens network connections": """
        socket _socket ssl _ssl http urllib urllib2 urllib3 urlparse httplib requests aiohttp httpx httplib2 pycurl
        smtplib smtpd imaplib poplib nntplib ftplib telnetlib socketserver SocketServer SimpleHTTPServer
        BaseHTTPServer xmlrpclib webbrowser selectors select asyncore asynchat email wsgiref cgi cgitb websocket
        websockets grpc zmq pika kafka boto3 botocore google.cloud google.auth azure huggingface_hub wandb mlflow
        clearml comet_ml neptune gdown kaggle redis pymongo psycopg2 sqlalchemy pymysql flask django fastapi
        starlette uvicorn tornado twisted scapy ray.remote ray.init ray.get ray.util ray.job_submission
        dask.delayed dask.compute distributed vllm.LLM llama_cpp ctransformers gpt4all langchain_experimental
        langchain.llms.loading langchain.chains.loading langchain.prompts.loading langchain.agents langchain.tools
        langchain.utilities langchain_core.load langchain_community.tools langchain_community.utilities openai
        litellm pyarrow.fs pyarrow.flight pyarrow.hdfs""",
    "reaches into native memory or the interpreter": """
        ctypes _ctypes gc _weakref faulthandler atexit site sitecustomize usercustomize sysconfig builtins.globals
        _frozen_importlib _frozen_importlib_external _interpreters _xxsubinterpreters _xxinterpchannels
        numpy.ctypeslib numpy.core._internal._ctypes torch._C._jit cupy.RawKernel cupy.cuda pycuda pyopencl
        readline rlcompleter tracemalloc warnings winreg _winreg nis syslog crypt spwd grp pwd termios tty fcntl""",
    "belongs to a security tool, which a hostile file may try to switch off": """
        picklescan fickling modelscan modelaudit hayward skops redan aisbom bandit""",
}

_NAMES: dict[str, str] = {
    "executes or compiles code that it is given": """
        builtins.eval builtins.exec builtins.compile builtins.execfile builtins.__import__ builtins.__build_class__
        builtins.apply builtins.reload builtins.breakpoint builtins.help types.CodeType types.FunctionType
        types.LambdaType types.new_class types.prepare_class types.coroutine new.code new.function
        dataclasses.make_dataclass collections.namedtuple typing.get_type_hints typing.ForwardRef functools.reduce
        functools.singledispatch functools.cached_property itertools.starmap numpy.fromfunction
        numpy.apply_along_axis numpy.frompyfunc numpy.source numpy.safe_eval torch._utils_internal.eval
        torch._custom_ops torch.compile enum._simple_enum typing._eval_type""",
    "resolves or changes attributes by name": """
        builtins.getattr builtins.setattr builtins.delattr builtins.hasattr builtins.vars builtins.globals
        builtins.locals builtins.dir builtins.type builtins.super builtins.memoryview builtins.property
        builtins.classmethod builtins.staticmethod builtins.map builtins.filter operator.methodcaller
        types.MethodType types.ModuleType types.GetSetDescriptorType types.DynamicClassAttribute
        copyreg.add_extension copyreg.pickle copyreg.constructor copyreg.dispatch_table""",
    "reads or writes files": """
        builtins.open builtins.input builtins.raw_input builtins.file builtins.print builtins.exit builtins.quit
        numpy.load numpy.fromfile numpy.loadtxt numpy.genfromtxt numpy.save numpy.savez numpy.savetxt numpy.memmap
        numpy.savez_compressed numpy.fromregex numpy.DataSource numpy.lib.format.open_memmap
        numpy.lib.format.read_array numpy.recfromtxt numpy.recfromcsv numpy.ndfromtxt numpy.mafromtxt numpy.tofile
        numpy.lib.DataSource logging.FileHandler logging.StreamHandler logging.basicConfig logging.Handler
        logging.shutdown torch.save torch.from_file torch.UntypedStorage.from_file pathlib.Path.open
        pathlib.Path.unlink torch.storage.UntypedStorage.from_file lightgbm.Dataset xgboost.DMatrix pandas.read_csv
        pandas.read_json pandas.read_html pandas.read_excel pandas.read_sql pandas.read_parquet pandas.read_hdf
        pandas.read_feather joblib.dump joblib.numpy_pickle.load joblib.numpy_pickle.dump
        joblib.numpy_pickle.NDArrayWrapper joblib.numpy_pickle.ZNDArrayWrapper
        joblib.numpy_pickle_compat.NDArrayWrapper torch.storage._load_from_file""",
    "reaches into native memory or the interpreter": """
        numpy.frombuffer numpy.lib.stride_tricks.as_strided numpy.lib.stride_tricks.DummyArray
        numpy.set_string_function numpy.core.multiarray.set_string_function numpy.core.multiarray.set_ops
        numpy.core.umath.seterrobj torch.set_default_tensor_type torch._C._import_ir_module_from_buffer
        torch._C.import_ir_module torch._C._load_for_lite_interpreter torch._C._load_parameters""",
}


def _table(groups: dict[str, str]) -> dict[str, str]:
    return {name: reason for reason, names in groups.items() for name in names.split()}


_MODULE_REASONS = _table(_MODULES)
_NAME_REASONS = _table(_NAMES)

_POWERFUL = re.compile(
    r"(?:^|[._])(?:os_?system|system|popen\w*|spawn\w*|exec\w*|_?eval\w*|run_?(?:code|script|string|module|command|cmd"
    r"|shell|python)\w*|shell(?:_\w+)?|subprocess|sub_?import|import_(?:module|string|by_name)|__import__|load_module"
    r"|resolve_name|locate|(?:fetch|download|load|read)_and_(?:run|exec\w*|eval)|unpickle_file|read_pickle"
    r"|unsafe_load|compile|rmtree|unlink|urlopen|urlretrieve|wget|curl|reverse_shell|backdoor|getoutput|check_output"
    r"|check_call)$",
    re.IGNORECASE,
)


def denial(module: str, name: str) -> str | None:
    """Why `module.name` is denied, or None.

    A module denies everything below it; the longest prefix that is listed gives the reason.
    """
    path = f"{module}.{name}"
    reason = _NAME_REASONS.get(path)
    while reason is None and path:
        reason = _MODULE_REASONS.get(path)
        path = path.rpartition(".")[0]
    return reason


def is_denied_module(name: str) -> bool:
    """Whether `name` itself is a denied module."""
    return name in _MODULE_REASONS


def sounds_powerful(name: str) -> bool:
    """Whether the last part of an unknown callable's name says that it runs code or commands or deletes files."""
    return _POWERFUL.search(name) is not None
