"""Where text comes from that somebody else decides: requests, answers of models, downloads."""

from __future__ import annotations

from typing import Literal

Kind = Literal["request", "model", "download"]

MODEL_ENDINGS = (
    ".chat.completions.create",
    ".chat.completions.parse",
    ".completions.create",
    ".responses.create",
    ".responses.parse",
    ".messages.create",
    ".generate_content",
    ".chat.complete",
    ".text_generation",
    ".chat_completion",
)
"""Methods whose answer is a model's, whatever the client is called."""

MODEL_CALLS = frozenset(
    {
        "litellm.completion",
        "litellm.acompletion",
        "ollama.chat",
        "ollama.generate",
        "openai.ChatCompletion.create",
        "openai.Completion.create",
        "anthropic.completions.create",
        "transformers.pipeline()",
        "vllm.LLM().generate",
        "vllm.LLM().chat",
        "llama_cpp.Llama()",
        "llama_cpp.Llama().create_completion",
        "llama_cpp.Llama().create_chat_completion",
        "ctransformers.AutoModelForCausalLM.from_pretrained()",
        "replicate.run",
        "mlx_lm.generate",
        "guidance.gen",
        "dspy.Predict()",
        "dspy.ChainOfThought()",
        "cohere.Client().chat",
        "cohere.Client().generate",
        "ollama.Client().chat",
        "ollama.Client().generate",
        "boto3.client().invoke_model",
    }
)
"""Functions whose result is a model's answer."""

MODEL_METHODS = frozenset(
    {
        "invoke", "ainvoke", "predict", "apredict", "run", "arun", "generate", "agenerate", "complete",
        "acomplete", "chat", "call", "__call__", "query", "stream",
    }
)  # fmt: skip
MODEL_CLASSES = frozenset(
    {
        "OpenAI", "AzureOpenAI", "ChatOpenAI", "AzureChatOpenAI", "Anthropic", "ChatAnthropic", "LLMChain",
        "HuggingFaceHub", "HuggingFacePipeline", "HuggingFaceEndpoint", "ChatHuggingFace", "Ollama",
        "ChatOllama", "OllamaLLM", "LlamaCpp", "ChatGoogleGenerativeAI", "ChatVertexAI", "VertexAI", "Bedrock",
        "ChatBedrock", "BedrockLLM", "ChatMistralAI", "MistralAI", "ChatGroq", "Groq", "ChatCohere", "Cohere",
        "VLLM", "Replicate", "ConversationChain", "RetrievalQA", "AgentExecutor",
    }
)  # fmt: skip
MODEL_PACKAGES = ("langchain", "llama_index")
"""In these packages every method above of every class above answers for a model."""

DOWNLOADS = frozenset(
    {
        "huggingface_hub.hf_hub_download",
        "huggingface_hub.snapshot_download",
        "huggingface_hub.cached_download",
        "transformers.utils.hub.cached_file",
        "transformers.utils.cached_file",
        "urllib.request.urlopen",
        "urllib.request.urlretrieve",
        "urllib.request.urlopen().read",
        "requests.get",
        "requests.Session().get",
        "httpx.get",
        "httpx.Client().get",
        "gdown.download",
        "wget.download",
        "torch.hub.download_url_to_file",
        "keras.utils.get_file",
        "tensorflow.keras.utils.get_file",
        "boto3.client().get_object",
        "modelscope.snapshot_download",
        "kagglehub.model_download",
        "kagglehub.dataset_download",
    }
)
"""Functions that give bytes from another machine, or the path of a file with them."""

REQUEST_OBJECTS = frozenset(
    {"flask.request", "quart.request", "bottle.request", "flask.globals.request", "sanic.request.Request()"}
)
REQUEST_CALLS = frozenset(
    {"streamlit.file_uploader", "streamlit.text_input", "streamlit.text_area", "streamlit.chat_input"}
)
"""Objects and calls that hold what somebody sent."""

CLEANING = frozenset(
    {
        "builtins.int", "builtins.float", "builtins.bool", "builtins.len", "builtins.hash", "builtins.isinstance",
        "builtins.type", "builtins.id", "builtins.ord", "builtins.hasattr", "builtins.range", "builtins.callable",
        "os.path.basename", "os.path.exists", "os.path.isfile", "os.path.getsize", "werkzeug.utils.secure_filename",
        "werkzeug.secure_filename", "shlex.quote", "uuid.UUID", "uuid.uuid4", "re.escape", "html.escape",
        "hashlib.sha256", "hashlib.md5", "hashlib.sha1", "ast.literal_eval", "time.time", "datetime.datetime",
        "datetime.datetime.now", "numpy.array", "numpy.asarray", "torch.tensor", "pandas.DataFrame", "PIL.Image.open",
    }
)  # fmt: skip
"""Calls whose result no longer carries the text that went in."""
CLEANING_TYPES = frozenset(
    {"builtins.int()", "builtins.float()", "builtins.bool()", "uuid.UUID()", "datetime.datetime()"}
)
"""Annotations of parameters that a framework enforces."""


def kind_of_call(names: tuple[str, ...]) -> Kind | None:
    """Tell which kind of source a call of these names is."""
    for name in names:
        if name in DOWNLOADS:
            return "download"
        if name in REQUEST_CALLS:
            return "request"
        if is_model_call(name):
            return "model"
    return None


def is_model_call(name: str) -> bool:
    """Tell by a dotted name whether a call gives a model's answer."""
    if name in MODEL_CALLS or name.endswith(MODEL_ENDINGS):
        return True
    if name.startswith("transformers.") and name.endswith("().generate"):
        return True
    if not name.startswith(MODEL_PACKAGES) and "pipeline" not in name:
        return False
    owner, _, method = name.rpartition(".")
    if owner.endswith("()"):
        cls = owner[:-2].rpartition(".")[2]
        return cls in MODEL_CLASSES and method in MODEL_METHODS
    return name.endswith("()") and name[:-2].rpartition(".")[2] in MODEL_CLASSES
