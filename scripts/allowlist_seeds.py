"""Names that the allow-lists contain because a person says so: the grade, the module, the names.

Grades: c class (created and given a state), k constructor (called with arguments), f function (called), v value (only
referred to), s special (judged by its arguments). Names of older versions stand here, since no installation has them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

STDLIB = """
k builtins set frozenset complex slice range xrange list dict tuple int long float bool str unicode object enumerate zip
k builtins reversed basestring
s builtins iter
s builtins getattr bytes bytearray type
v builtins len abs min max sum sorted round any all repr hash divmod pow chr ord bin hex oct format NotImplemented
v builtins Ellipsis None
k builtins Exception ValueError TypeError KeyError IndexError RuntimeError AttributeError ArithmeticError OSError
k builtins NotImplementedError StopIteration ZeroDivisionError UserWarning Warning DeprecationWarning FutureWarning
k builtins RuntimeWarning LookupError OverflowError AssertionError FloatingPointError FileNotFoundError
k builtins FileExistsError PermissionError IsADirectoryError NotADirectoryError TimeoutError ConnectionError
k builtins InterruptedError EOFError MemoryError RecursionError UnicodeDecodeError UnicodeEncodeError ImportError
k builtins ModuleNotFoundError NameError BufferError StopAsyncIteration KeyboardInterrupt ExceptionGroup
k collections OrderedDict defaultdict Counter deque UserDict UserList UserString ChainMap
s copyreg _reconstructor __newobj__ __newobj_ex__
s _codecs encode
s functools partial
k operator itemgetter
s operator attrgetter
v operator add sub mul truediv floordiv mod neg pos lt le eq ne ge gt and_ or_ xor contains not_ truth pow abs
s operator getitem
k datetime date datetime time timedelta timezone
k decimal Decimal Context
c decimal InvalidOperation DivisionByZero Overflow Underflow Inexact Rounded Clamped Subnormal FloatOperation
k urllib.parse ParseResult SplitResult DefragResult
c logging Formatter Filter PercentStyle StrFormatStyle StringTemplateStyle
k fractions Fraction
k uuid UUID SafeUUID
f re _compile
k re RegexFlag
k pathlib Path PurePath PosixPath PurePosixPath WindowsPath PureWindowsPath
k pathlib._local Path PurePath PosixPath PurePosixPath WindowsPath PureWindowsPath
c argparse Namespace
c types SimpleNamespace
k types SimpleNamespace GenericAlias
v types NoneType
k types MappingProxyType
f logging getLogger
c logging Logger
v logging INFO DEBUG WARNING ERROR
k random Random
k urlparse ParseResult SplitResult DefragResult
k UserDict UserDict IterableUserDict
k UserList UserList
k UserString UserString
k itertools izip
f array _array_reconstructor
k array array
k ipaddress IPv4Address IPv6Address IPv4Network IPv6Network
f zoneinfo ZoneInfo._unpickle
k zoneinfo ZoneInfo
c string Template
k itertools chain count cycle repeat islice product permutations combinations zip_longest
v math sqrt log exp log1p log2 log10 floor ceil sin cos tan tanh pow inf pi isnan isinf
c statistics NormalDist
k io BytesIO StringIO
k _io BytesIO StringIO
v typing Any Union Optional List Dict Tuple Set Callable Sequence Iterable Mapping Literal Type
c typing _GenericAlias
v copy copy deepcopy
k enum auto
k time struct_time
c dataclasses _MISSING_TYPE
c weakref WeakKeyDictionary WeakValueDictionary WeakSet
k inspect _ParameterKind
k http HTTPStatus
v csv excel excel_tab unix_dialect
c email.mime.text MIMEText
c email.mime.multipart MIMEMultipart
v builtins print id isinstance issubclass callable next ascii
k builtins UnicodeError UnicodeTranslateError BlockingIOError BrokenPipeError ChildProcessError ConnectionAbortedError
k builtins ConnectionRefusedError ConnectionResetError ProcessLookupError BaseException SyntaxError IndentationError
k builtins TabError SystemError ReferenceError GeneratorExit BaseExceptionGroup EncodingWarning ImportWarning
k builtins PendingDeprecationWarning ResourceWarning SyntaxWarning UnicodeWarning BytesWarning EnvironmentError IOError
v operator matmul concat index is_ is_not inv invert iadd isub imul itruediv ifloordiv imod ipow iand ior ixor lshift
v operator rshift countOf indexOf length_hint
v math acos acosh asin asinh atan atan2 atanh cbrt comb copysign cosh degrees dist e erf erfc exp2 expm1 fabs factorial
v math fmod frexp fsum gamma gcd hypot isclose isfinite isqrt lcm ldexp lgamma modf nan nextafter perm prod radians
v math remainder sinh tau trunc ulp fma sumprod
v cmath acos acosh asin asinh atan atanh cos cosh exp isclose isfinite isinf isnan log log10 phase polar rect sin sinh
v cmath sqrt tan tanh
v statistics mean median mode stdev variance pstdev pvariance fmean geometric_mean harmonic_mean quantiles multimode
v statistics median_low median_high correlation covariance linear_regression
k statistics LinearRegression
v time time perf_counter monotonic process_time time_ns
v uuid uuid1 uuid3 uuid4 uuid5
v json dumps loads
c json.encoder JSONEncoder
c json.decoder JSONDecoder
v html escape unescape
v textwrap dedent indent wrap fill shorten
c textwrap TextWrapper
v string capwords
c string Formatter
v unicodedata normalize category name
v zlib crc32 adler32
v _hashlib openssl_md5 openssl_sha1 openssl_sha224 openssl_sha256 openssl_sha384 openssl_sha512
v _heapq heappush heappop heapify heapreplace heappushpop
v heapq nlargest nsmallest merge
v _bisect bisect_left bisect_right insort_left insort_right
v functools lru_cache wraps update_wrapper total_ordering
v random random randint uniform choice choices sample shuffle gauss normalvariate
v numbers Number Real Integral Complex Rational
v collections.abc Mapping Iterable Sequence Callable Set MutableMapping MutableSequence MutableSet Hashable Sized
v collections.abc Iterator Generator Collection Container Reversible ByteString Buffer
v typing TypeVar Generic NamedTuple TypedDict Protocol Iterator Generator Mapping MutableMapping Deque DefaultDict
v typing Counter OrderedDict FrozenSet Hashable Sized Collection Text AnyStr ClassVar Final Annotated NoReturn
k ipaddress IPv4Interface IPv6Interface
k itertools compress pairwise izip_longest _tee _tee_dataobject
c logging LogRecord RootLogger LoggerAdapter
f logging getLevelName
c difflib SequenceMatcher Differ
c graphlib TopologicalSorter _NodeInfo
c calendar Calendar TextCalendar HTMLCalendar
k calendar Day Month
v calendar monthrange isleap
c gettext NullTranslations
c pprint PrettyPrinter
c xml.etree.ElementTree Element ElementTree QName
c configparser ConfigParser RawConfigParser SectionProxy ConverterMapping BasicInterpolation Interpolation
c configparser ExtendedInterpolation LegacyInterpolation
c http.cookies SimpleCookie BaseCookie Morsel
k http HTTPMethod
k signal Signals
c email.message Message EmailMessage
k email.charset Charset
c email.policy EmailPolicy
c email._policybase Compat32 Policy
c email.header Header
k inspect Signature Parameter
v inspect _empty
k os stat_result terminal_size
k platform uname_result
c dataclasses Field _FIELD_BASE _HAS_DEFAULT_FACTORY_CLASS
v dataclasses field
v typing NewType
"""

NUMPY = """
v numpy float16 float32 float64 float128 longdouble half single double int8 int16 int32 int64 intc intp uint8 uint16
v numpy uint32 uint64 uintc uintp longlong ulonglong bool_ bool str_ bytes_ unicode_ string_ object_ void complex64
v numpy complex128 complex256 datetime64 timedelta64 number generic integer floating inexact character
v numpy clip mean sum std var median min max argmax argmin any all where concatenate stack dot round around percentile
v numpy quantile nan_to_num squeeze ravel reshape asarray array zeros ones zeros_like ones_like transpose linspace
v numpy amax amin nanmean nanmedian nanstd nansum nanmax nanmin cumsum prod unique sort argsort absolute average
k numpy dtype ndarray
c numpy matrix recarray record poly1d ndarray
v numpy.core.numeric absolute
f numpy.core.multiarray _reconstruct scalar
f numpy._core.multiarray _reconstruct scalar
f numpy.core.numeric _frombuffer
f numpy._core.numeric _frombuffer
s numpy.core _ufunc_reconstruct
s numpy._core _ufunc_reconstruct
f numpy.core._internal _convert_to_stringdtype_kwargs
f numpy._core._internal _convert_to_stringdtype_kwargs
c numpy.ma.core MaskedArray
k numpy.ma.core _mareconstruct MaskedConstant
f numpy.ma.core _mareconstruct
c numpy.ma MaskedArray
c numpy.matrixlib.defmatrix matrix
c numpy.core.records recarray record
c numpy.rec recarray record
s numpy.random __RandomState_ctor
s numpy.random._pickle __randomstate_ctor __generator_ctor __bit_generator_ctor
c numpy.random.mtrand RandomState
s numpy memmap
c numpy.lib._index_tricks_impl MGridClass OGridClass IndexExpression RClass CClass AxisConcatenator nd_grid
c numpy.lib.index_tricks MGridClass OGridClass IndexExpression RClass CClass AxisConcatenator nd_grid
v numpy.random._mt19937 MT19937
v numpy.random._pcg64 PCG64 PCG64DXSM
v numpy.random._philox Philox
v numpy.random._sfc64 SFC64
c numpy.random.bit_generator SeedSequence
f numpy.random.bit_generator __pyx_unpickle_SeedSequence
"""

TORCH = """
v torch FloatStorage DoubleStorage HalfStorage BFloat16Storage LongStorage IntStorage ShortStorage CharStorage
v torch ByteStorage BoolStorage ComplexFloatStorage ComplexDoubleStorage QInt8Storage QUInt8Storage QInt32Storage
v torch QUInt4x2Storage QUInt2x4Storage
v torch.cuda FloatStorage DoubleStorage HalfStorage BFloat16Storage LongStorage IntStorage ShortStorage CharStorage
v torch.cuda ByteStorage BoolStorage
v torch.storage TypedStorage UntypedStorage _LegacyStorage _TypedStorage _UntypedStorage
v torch float32 float float64 double float16 half bfloat16 int8 int16 short int32 int int64 long uint8 uint16 uint32
v torch uint64 bool complex32 chalf complex64 cfloat complex128 cdouble qint8 quint8 qint32 quint4x2 quint2x4
v torch float8_e4m3fn float8_e5m2 float8_e4m3fnuz float8_e5m2fnuz float8_e8m0fnu float4_e2m1fn_x2
v torch strided sparse_coo sparse_csr sparse_csc sparse_bsr sparse_bsc jagged per_tensor_affine per_channel_affine
v torch per_tensor_symmetric per_channel_symmetric per_channel_affine_float_qparams preserve_format
v torch contiguous_format channels_last channels_last_3d
k torch Size device Tensor Generator
c torch Tensor
c torch.nn.parameter Parameter Buffer
k torch.nn.parameter UninitializedParameter UninitializedBuffer
c torch.nn Parameter
f torch._utils _rebuild_tensor _rebuild_tensor_v2 _rebuild_tensor_v3 _rebuild_parameter _rebuild_sparse_tensor
f torch._utils _rebuild_parameter_with_state _rebuild_nested_tensor _rebuild_qtensor _rebuild_sparse_csr_tensor
f torch._utils _rebuild_device_tensor_from_numpy _rebuild_device_tensor_from_cpu_tensor _rebuild_xla_tensor
f torch._utils _rebuild_meta_tensor_no_storage _rebuild_wrapper_subclass
s torch._tensor _rebuild_from_type _rebuild_from_type_v2
f torch.serialization _get_layout
s torch.storage _load_from_bytes
f torch.jit._pickle build_intlist build_tensorlist build_doublelist build_boollist build_tensor_from_id restore_type_tag
v torch._C _VariableFunctionsClass _nn _VariableFunctions
c torch._C Generator
f torch.random _rebuild_generator
c torch.utils.data.dataset TensorDataset Subset ConcatDataset Dataset
c torch.utils.data.sampler RandomSampler SequentialSampler BatchSampler SubsetRandomSampler WeightedRandomSampler
c torch.utils.data.dataloader DataLoader
v torch.utils.data._utils.collate default_collate
c torch.utils.hooks RemovableHandle
c torch.nn.parallel.data_parallel DataParallel
c torch.backends.cuda cuFFTPlanCacheManager
v torch.functional einsum norm cdist meshgrid tensordot stft istft cartesian_prod unique split broadcast_tensors
c torch.nn.utils.prune L1Unstructured RandomUnstructured LnStructured RandomStructured CustomFromMask Identity
c torch.nn.utils.prune PruningContainer
f torch.nested._internal.nested_tensor _rebuild_njt
c torch.nested._internal.nested_tensor NestedTensor
k torch._dynamo.decorators _DimRange
c torch.distributed.tensor DTensor
c torch.distributed.tensor.api DTensor
c torch.distributed._tensor.api DTensor
c torch.distributed.tensor._api DTensor
k torch.distributed.tensor._dtensor_spec DTensorSpec TensorMeta ShardOrderEntry
k torch.distributed._tensor.placement_types DTensorSpec TensorMeta Shard Replicate Partial _Partial
k torch.distributed.tensor.placement_types Shard Replicate Partial _StridedShard _StridedShardOffsetMode _MaskPartial
c torch.distributed.device_mesh DeviceMesh
c torch.distributed._mesh_layout _MeshLayout _FlatLayout
c torch.distributed.checkpoint.metadata Metadata TensorProperties TensorStorageMetadata BytesStorageMetadata
c torch.distributed.checkpoint.metadata ChunkStorageMetadata MetadataIndex StorageMeta
k torch.distributed.checkpoint.metadata _MEM_FORMAT_ENCODING
c torch.distributed.checkpoint.filesystem _StorageInfo
"""

SKLEARN = """
f sklearn.neighbors._ball_tree newObj
f sklearn.neighbors._kd_tree newObj
f sklearn.neighbors.ball_tree newObj
f sklearn.neighbors.kd_tree newObj
f sklearn.neighbors.dist_metrics newObj
f sklearn.neighbors._dist_metrics newObj
f sklearn.metrics._dist_metrics newObj
c sklearn.externals.joblib.numpy_pickle NumpyArrayWrapper
c sklearn.linear_model.logistic LogisticRegression LogisticRegressionCV
c sklearn.linear_model.base LinearRegression
c sklearn.linear_model.ridge Ridge RidgeCV RidgeClassifier
c sklearn.linear_model.coordinate_descent Lasso ElasticNet LassoCV ElasticNetCV
c sklearn.linear_model.stochastic_gradient SGDClassifier SGDRegressor
c sklearn.linear_model.sgd_fast Log Hinge SquaredLoss
c sklearn.ensemble.forest RandomForestClassifier RandomForestRegressor ExtraTreesClassifier ExtraTreesRegressor
c sklearn.ensemble.gradient_boosting GradientBoostingClassifier GradientBoostingRegressor BinomialDeviance
c sklearn.ensemble.gradient_boosting LogOddsEstimator MultinomialDeviance LeastSquaresError PriorProbabilityEstimator
c sklearn.ensemble._gb_losses BinomialDeviance MultinomialDeviance LeastSquaresError
c sklearn.ensemble.weight_boosting AdaBoostClassifier AdaBoostRegressor
c sklearn.ensemble.bagging BaggingClassifier BaggingRegressor
c sklearn.ensemble.voting_classifier VotingClassifier
c sklearn.ensemble.iforest IsolationForest
c sklearn.tree.tree DecisionTreeClassifier DecisionTreeRegressor ExtraTreeClassifier ExtraTreeRegressor
c sklearn.tree._tree Tree
c sklearn.svm.classes SVC SVR LinearSVC LinearSVR OneClassSVM NuSVC
c sklearn.neighbors.classification KNeighborsClassifier RadiusNeighborsClassifier
c sklearn.neighbors.regression KNeighborsRegressor
c sklearn.neighbors.unsupervised NearestNeighbors
c sklearn.neural_network.multilayer_perceptron MLPClassifier MLPRegressor
c sklearn.preprocessing.data StandardScaler MinMaxScaler OneHotEncoder PolynomialFeatures MaxAbsScaler RobustScaler
c sklearn.preprocessing.data Normalizer Binarizer QuantileTransformer PowerTransformer
c sklearn.preprocessing.label LabelEncoder LabelBinarizer MultiLabelBinarizer
c sklearn.preprocessing.imputation Imputer
c sklearn.preprocessing._function_transformer FunctionTransformer
c sklearn.cluster.k_means_ KMeans MiniBatchKMeans
c sklearn.cluster.dbscan_ DBSCAN
c sklearn.decomposition.pca PCA
c sklearn.decomposition.truncated_svd TruncatedSVD
c sklearn.decomposition.nmf NMF
c sklearn.decomposition.online_lda LatentDirichletAllocation
c sklearn.feature_extraction.text CountVectorizer TfidfVectorizer TfidfTransformer HashingVectorizer
c sklearn.feature_extraction.dict_vectorizer DictVectorizer
c sklearn.feature_selection.univariate_selection SelectKBest SelectPercentile
c sklearn.mixture.gaussian_mixture GaussianMixture
c sklearn.naive_bayes GaussianNB MultinomialNB BernoulliNB ComplementNB
c sklearn.gaussian_process.gpr GaussianProcessRegressor
c sklearn.gaussian_process.gpc GaussianProcessClassifier
c sklearn.model_selection._search GridSearchCV RandomizedSearchCV
c sklearn.utils.deprecation DeprecationDict
"""

PANDAS = """
k pandas._libs.tslibs.offsets BHalfYearBegin BHalfYearEnd BQuarterBegin BQuarterEnd BYearBegin BYearEnd BaseOffset
k pandas._libs.tslibs.offsets BusinessDay BusinessHour BusinessMixin BusinessMonthBegin BusinessMonthEnd
k pandas._libs.tslibs.offsets CustomBusinessDay CustomBusinessHour CustomBusinessMonthBegin CustomBusinessMonthEnd Day
k pandas._libs.tslibs.offsets Easter FY5253 FY5253Mixin FY5253Quarter HalfYearBegin HalfYearEnd HalfYearOffset Hour
k pandas._libs.tslibs.offsets LastWeekOfMonth Micro Milli Minute MonthBegin MonthEnd MonthOffset Nano OffsetMeta
k pandas._libs.tslibs.offsets QuarterBegin QuarterEnd QuarterOffset RelativeDeltaOffset Second SemiMonthBegin
k pandas._libs.tslibs.offsets SemiMonthEnd SemiMonthOffset SingleConstructorOffset Tick Week WeekOfMonth
k pandas._libs.tslibs.offsets WeekOfMonthMixin YearBegin YearEnd YearOffset _CustomBusinessMonth
k pandas._libs.tslibs.offsets _CustomBusinessMonthBegin _CustomBusinessMonthEnd _YearEnd
f pandas._libs.internals _unpickle_block
f pandas._libs.arrays __pyx_unpickle_NDArrayBacked
f pandas._libs.tslibs.timestamps _unpickle_timestamp
f pandas._libs.tslibs.timedeltas _timedelta_unpickle
f pandas._libs.tslibs.nattype _nat_unpickle __nat_unpickle
f pandas._libs.tslibs.period _period_unpickle
f pandas.core.indexes.base _new_Index
f pandas.core.indexes.datetimes _new_DatetimeIndex
f pandas.core.indexes.period _new_PeriodIndex
f pandas._libs.missing _unpickle_na
f pandas.core.internals.managers _unpickle_block
c pandas.core.indexes.base Index
c pandas.core.indexes.numeric Int64Index Float64Index UInt64Index
c pandas.core.indexes.range RangeIndex
c pandas.core.frame DataFrame
v pandas.core.generic NDFrame.fillna NDFrame.astype NDFrame.copy NDFrame.clip NDFrame.abs NDFrame.head NDFrame.tail
v pandas.core.generic NDFrame.ffill NDFrame.bfill NDFrame.interpolate NDFrame.replace NDFrame.rank NDFrame.sample
v pandas.core.frame DataFrame.dropna DataFrame.drop DataFrame.rename DataFrame.sum DataFrame.mean DataFrame.std
v pandas.core.frame DataFrame.median DataFrame.min DataFrame.max DataFrame.fillna DataFrame.astype DataFrame.round
v pandas.core.series Series.sum Series.mean Series.std Series.median Series.min Series.max Series.nunique Series.round
k pandas DateOffset
k pandas._libs.tslibs.offsets DateOffset
c pandas.core.series Series
c pandas.core.internals.managers BlockManager SingleBlockManager
c pandas.core.categorical Categorical
c pandas DataFrame Series Index
k pandas Int8Dtype Int16Dtype Int32Dtype Int64Dtype UInt8Dtype UInt16Dtype UInt32Dtype UInt64Dtype Float32Dtype
k pandas Float64Dtype BooleanDtype StringDtype SparseDtype CategoricalDtype DatetimeTZDtype PeriodDtype IntervalDtype
k pandas.core.arrays.integer Int8Dtype Int16Dtype Int32Dtype Int64Dtype UInt8Dtype UInt16Dtype UInt32Dtype UInt64Dtype
k pandas.core.arrays.floating Float32Dtype Float64Dtype
k pandas.core.arrays.boolean BooleanDtype
k pandas.core.arrays.sparse.dtype SparseDtype
"""

BOOSTERS = """
c xgboost.core Booster DMatrix QuantileDMatrix
c xgboost.sklearn XGBClassifier XGBRegressor XGBRanker XGBRFClassifier XGBRFRegressor XGBModel
c lightgbm.basic Booster
c lightgbm.sklearn LGBMClassifier LGBMRegressor LGBMRanker LGBMModel _ObjectiveFunctionWrapper _EvalFunctionWrapper
c catboost.core CatBoost CatBoostClassifier CatBoostRegressor CatBoostRanker
c joblib.numpy_pickle NumpyArrayWrapper
c joblib.memory Memory NotMemorizedFunc
c joblib.parallel Parallel
c joblib.logger Logger
"""

OTHERS = """
c omegaconf.dictconfig DictConfig
c omegaconf.listconfig ListConfig
c omegaconf.base ContainerMetadata Metadata Box
c omegaconf.nodes AnyNode StringNode IntegerNode FloatNode BooleanNode BytesNode PathNode EnumNode
c pytorch_lightning.utilities.parsing AttributeDict
c lightning.pytorch.utilities.parsing AttributeDict
c lightning_fabric.utilities.data AttributeDict
c pytorch_lightning.callbacks.model_checkpoint ModelCheckpoint
c lightning.pytorch.callbacks.model_checkpoint ModelCheckpoint
c pytorch_lightning.callbacks.early_stopping EarlyStopping
c lightning.pytorch.callbacks.early_stopping EarlyStopping
c torchvision.models.resnet ResNet BasicBlock Bottleneck
c torchvision.models.vgg VGG
c torchvision.models.alexnet AlexNet
c torchvision.models.densenet DenseNet _DenseBlock _DenseLayer _Transition
c torchvision.models.mobilenetv2 MobileNetV2 InvertedResidual
c torchvision.models.mobilenetv3 MobileNetV3 InvertedResidual
c torchvision.models.efficientnet EfficientNet MBConv
c torchvision.models.inception Inception3 InceptionA InceptionB InceptionC InceptionD InceptionE BasicConv2d
c torchvision.models.vision_transformer VisionTransformer Encoder EncoderBlock MLPBlock
c torchvision.ops.misc Conv2dNormActivation ConvNormActivation SqueezeExcitation FrozenBatchNorm2d MLP
c torchvision.ops.stochastic_depth StochasticDepth
c torchvision.transforms.transforms Compose Normalize ToTensor Resize CenterCrop RandomCrop RandomHorizontalFlip
k torchvision.transforms.functional InterpolationMode
c easydict EasyDict
c addict.addict Dict
c tokenizers Tokenizer AddedToken Encoding
c tokenizers.models Model BPE WordPiece Unigram WordLevel
c scipy.interpolate._interpolate interp1d
c scipy.interpolate._cubic CubicSpline PchipInterpolator
c scipy.interpolate.interpolate interp1d
v scipy.interpolate._interpolate interp1d._call_linear interp1d._call_linear_np interp1d._call_nearest
v scipy.interpolate._interpolate interp1d._call_previousnext interp1d._call_spline interp1d._call_nan_spline
c scipy.stats._continuous_distns rv_histogram
c scipy.stats._distn_infrastructure rv_sample
k sklearn._loss._loss CyHalfTweedieLoss CyHalfTweedieLossIdentity CyPinballLoss CyHuberLoss CyExponentialLoss
k sklearn._loss._loss CyHalfSquaredError CyAbsoluteError CyHalfPoissonLoss CyHalfGammaLoss CyHalfBinomialLoss
k sklearn._loss._loss CyHalfMultinomialLoss
c scipy.sparse.csr csr_matrix
c scipy.sparse.csc csc_matrix
c scipy.sparse.coo coo_matrix
c scipy.sparse.lil lil_matrix
c scipy.sparse.dok dok_matrix
c transformers.pytorch_utils Conv1D
c transformers.activations NewGELUActivation SiLUActivation QuickGELUActivation FastGELUActivation MishActivation
c transformers.activations ClippedGELUActivation AccurateGELUActivation LinearActivation LaplaceActivation
c transformers.activations ReLUSquaredActivation PytorchGELUTanh GELUTanh ClassInstantier XIELUActivation
c transformers.trainer_callback TrainerState TrainerControl
c transformers.training_args TrainingArguments
c transformers.training_args_seq2seq Seq2SeqTrainingArguments
k transformers.training_args OptimizerNames ParallelMode
k transformers.trainer_utils IntervalStrategy SchedulerType HubStrategy SaveStrategy EvaluationStrategy FSDPOption
k transformers.trainer_utils ShardedDDPOption
c transformers.trainer_pt_utils AcceleratorConfig
k transformers.debug_utils DebugOption
c transformers.tokenization_utils_base BatchEncoding
k transformers.utils.generic PaddingStrategy TensorType ExplicitEnum
c accelerate.state AcceleratorState PartialState
k accelerate.state DistributedType
f pyarrow.lib type_for_alias field struct list_ large_list map_ dictionary timestamp duration time32 time64 decimal128
f pyarrow.lib decimal256 binary string schema bool_ int8 int16 int32 int64 uint8 uint16 uint32 uint64 float16 float32
f pyarrow.lib float64 date32 date64 null large_string large_binary string_view binary_view fixed_size_list
k dateutil.relativedelta relativedelta
k dateutil._common weekday
k dateutil.tz.tz tzutc tzoffset tzlocal
f pytz _UTC _p FixedOffset
k pytz _FixedOffset
k accelerate.utils.dataclasses DistributedType DynamoBackend PrecisionType
c accelerate.utils.dataclasses DeepSpeedPlugin FullyShardedDataParallelPlugin GradientAccumulationPlugin
"""

SKLEARN_VALUES = (
    "sklearn.metrics", "sklearn.feature_selection", "sklearn.preprocessing", "sklearn.gaussian_process",
    "sklearn.neural_network._base", "sklearn.decomposition", "sklearn.covariance", "sklearn.utils.extmath",
    "sklearn.utils.validation", "sklearn.feature_extraction", "sklearn.neighbors", "sklearn.cluster", "sklearn.base",
)  # fmt: skip
"""Modules whose functions fitted estimators refer to."""

PURE_MODULES = {
    "numpy": ("numpy", "numpy.linalg", "numpy.fft", "numpy.ma", "numpy.char", "numpy.polynomial.polynomial"),
    "scipy": (
        "scipy.stats", "scipy.special", "scipy.signal", "scipy.signal.windows", "scipy.ndimage", "scipy.linalg",
        "scipy.spatial.distance", "scipy.fft", "scipy.fftpack", "scipy.integrate", "scipy.interpolate",
        "scipy.optimize",
        "scipy.cluster.hierarchy", "scipy.cluster.vq", "scipy.sparse", "scipy.sparse.linalg", "scipy.constants",
    ),
    "pandas": ("pandas", "pandas.api.types"),
}  # fmt: skip
"""Modules of functions that compute and touch nothing else; feature steps and partials refer to them."""

IMPURE_NAME = re.compile(
    r"^(from|test|show|set|get_(?!dummies)|info|print|apply|source|deprecate|array2string|array_repr|array_str|memmap"
    r"|ctypeslib|seterr|errstate|in_interactive|low_level|LowLevel|ascent|face|electro|option|describe_option|reset"
    r"|vectorize|piecewise|asmatrix|bmat|require)"
    r"|load|save|fetch|dump|open|read|write|_file|exec|eval|compile|query|pickle|clipboard|debug|backend|workers"
)
"""Functions of such modules that do more, or that call what they are given."""

ATTRIBUTES = """
builtins.str lower upper strip lstrip rstrip split rsplit title capitalize casefold swapcase replace join splitlines
builtins.str startswith endswith isalpha isdigit isalnum isnumeric isspace islower isupper zfill find count index encode
builtins.str partition rpartition removeprefix removesuffix center ljust rjust expandtabs maketrans translate
builtins.bytes fromhex decode hex strip split lower upper
builtins.bytearray fromhex
builtins.int from_bytes to_bytes bit_length
builtins.float fromhex is_integer hex
builtins.dict fromkeys get items keys values copy pop
builtins.list index count copy pop sort reverse
builtins.tuple index count
builtins.set union intersection difference issubset issuperset isdisjoint
builtins.frozenset union intersection difference issubset issuperset isdisjoint
collections.OrderedDict fromkeys
datetime.datetime now utcnow today fromtimestamp fromisoformat strptime combine isoformat strftime timestamp date
datetime.date today fromisoformat fromtimestamp isoformat strftime weekday isoweekday toordinal
builtins.unicode lower upper strip lstrip rstrip split rsplit title capitalize casefold swapcase replace join splitlines
builtins.unicode startswith endswith isalpha isdigit isalnum isnumeric isspace islower isupper zfill find count
builtins.unicode index encode
builtins.unicode partition rpartition removeprefix removesuffix center ljust rjust expandtabs maketrans translate
builtins.long from_bytes to_bytes bit_length
scipy.interpolate._interpolate.interp1d _call_linear _call_linear_np _call_nearest _call_previousnext
scipy.interpolate._interpolate.interp1d _call_spline _call_nan_spline
"""
"""Methods of plain types, which a pickle looks up by name and saved models only refer to."""

TORCH_VALUES = frozenset({"torch.nn.functional", "torch.nn.init", "torch._C._nn", "torch.linalg", "torch.special"})
"""Modules whose functions network modules refer to as activations and initialisers."""

KERAS_ROOMS = (
    "keras.layers", "keras.initializers", "keras.regularizers", "keras.constraints", "keras.optimizers", "keras.losses",
    "keras.metrics", "keras.models", "keras.dtype_policies", "keras.quantizers", "keras.optimizers.schedules",
    "keras.callbacks", "keras.random",
)  # fmt: skip
"""Modules whose classes configurations name."""

OLD_KERAS = frozenset(
    [
        "CuDNNLSTM",
        "CuDNNGRU",
        "BatchNormalizationV1",
        "BatchNormalizationV2",
        "LSTMV2",
        "GRUV2",
        "Policy",
        "DTypePolicy",
        "FloatDTypePolicy",
        "QuantizedDTypePolicy",
        "Conv2DTranspose",
        "MaxoutDense",
        "Highway",
        "Merge",
        "TimeDistributedDense",
        "ActivityRegularization",
        "L1L2",
        "VarianceScaling",
        "GlorotUniformV2",
        "RandomNormalV2",
        "ZerosV2",
        "OnesV2",
        "InputLayer",
        "ThresholdedReLU",
        "Functional",
        "Model",
        "Sequential",
        "SGD",
        "Adam",
        "RMSprop",
        "Adagrad",
        "Adadelta",
        "Adamax",
        "Nadam",
        "Ftrl",
        "LossScaleOptimizer",
        "LossScaleOptimizerV3",
        "SyncBatchNormalization",
        "ReLU",
        "LeakyReLU",
        "PReLU",
        "ELU",
        "Softmax",
        "Operation",
        "KerasTensor",
        "SeedGenerator",
        "AddLoss",
        "AddMetric",
    ]
)
"""Class names of older versions."""

OLD_STDLIB = frozenset(
    [
        "__builtin__",
        "copy_reg",
        "cPickle",
        "commands",
        "popen2",
        "urllib2",
        "urlparse",
        "httplib",
        "exceptions",
        "UserDict",
        "UserList",
        "UserString",
        "Queue",
        "StringIO",
        "cStringIO",
        "ConfigParser",
        "SocketServer",
        "asynchat",
        "asyncore",
        "imp",
        "distutils",
        "smtpd",
        "binhex",
        "formatter",
        "parser",
        "symbol",
        "macpath",
        "dummy_threading",
        "md5",
        "sha",
        "new",
        "thread",
        "_pyrepl",
        "pathlib._local",
    ]
)
"""Top-level names of standard libraries before and after the one that runs this script."""

EXEMPT = frozenset(
    [
        ("io", "BytesIO"),
        ("io", "StringIO"),
        ("_io", "BytesIO"),
        ("_io", "StringIO"),
        ("builtins", "type"),
        ("http", "HTTPStatus"),
        ("builtins", "getattr"),
        ("typing", "Any"),
    ]
    + [
        ("torch.jit._pickle", name)
        for name in ["build_intlist", "build_tensorlist", "build_doublelist", "build_boollist"]
    ]
    + [("torch.jit._pickle", name) for name in ("build_tensor_from_id", "restore_type_tag")]
    + [("torch.utils.data.dataset", n) for n in ("TensorDataset", "Subset", "ConcatDataset", "Dataset")]
    + [("torch.utils.data.dataloader", "DataLoader"), ("torch.utils.data._utils.collate", "default_collate")]
    + [("torch.utils.data.sampler", n) for n in ("RandomSampler", "SequentialSampler", "BatchSampler")]
    + [("torch.utils.data.sampler", n) for n in ("SubsetRandomSampler", "WeightedRandomSampler")]
    + [(module, f"{n}Result") for module in ("urllib.parse", "urlparse") for n in ("Parse", "Split", "Defrag")]
    + [("xgboost", "DMatrix"), ("inspect", "_ParameterKind"), ("inspect", "Signature"), ("inspect", "Parameter")]
    + [("sklearn.externals.joblib.numpy_pickle", "NumpyArrayWrapper"), ("inspect", "_empty"), ("builtins", "print")]
    + [("configparser", n) for n in ("ConfigParser", "RawConfigParser", "SectionProxy", "ConverterMapping")]
    + [("configparser", f"{n}Interpolation") for n in ("Basic", "Extended", "Legacy", "")]
    + [("http.cookies", n) for n in ("SimpleCookie", "BaseCookie", "Morsel")]
    + [("email.message", "Message"), ("email.message", "EmailMessage"), ("email.charset", "Charset")]
    + [("email.policy", "EmailPolicy"), ("email._policybase", "Compat32"), ("email._policybase", "Policy")]
    + [("http", "HTTPMethod"), ("signal", "Signals"), ("email.header", "Header"), ("platform", "uname_result")]
    + [("torch.nested._internal.nested_tensor", "_rebuild_njt"), ("torch._dynamo.decorators", "_DimRange")]
    + [("csv", n) for n in ("excel", "excel_tab", "unix_dialect")]
    + [(f"torch.distributed{m}", "DTensor") for m in (".tensor", ".tensor.api", ".tensor._api", "._tensor.api")]
    + [("torch.distributed.tensor._dtensor_spec", n) for n in ("DTensorSpec", "TensorMeta", "ShardOrderEntry")]
    + [("torch.distributed._tensor.placement_types", n) for n in ("DTensorSpec", "TensorMeta", "Shard", "Replicate")]
    + [("torch.distributed._tensor.placement_types", n) for n in ("Partial", "_Partial")]
    + [("torch.distributed.tensor.placement_types", n) for n in ("Shard", "Replicate", "Partial", "_StridedShard")]
    + [("torch.distributed.tensor.placement_types", n) for n in ("_StridedShardOffsetMode", "_MaskPartial")]
    + [("torch.distributed.device_mesh", "DeviceMesh"), ("torch.distributed._mesh_layout", "_MeshLayout")]
    + [("torch.distributed._mesh_layout", "_FlatLayout"), ("torch.distributed.checkpoint.filesystem", "_StorageInfo")]
    + [("torch.distributed.checkpoint.metadata", f"{n}Metadata") for n in ("", "TensorStorage", "BytesStorage")]
    + [("torch.distributed.checkpoint.metadata", f"{n}Metadata") for n in ("ChunkStorage",)]
    + [("torch.distributed.checkpoint.metadata", n) for n in ("TensorProperties", "MetadataIndex", "StorageMeta")]
    + [("torch.distributed.checkpoint.metadata", "_MEM_FORMAT_ENCODING")]
    + [("email.mime.text", "MIMEText"), ("email.mime.multipart", "MIMEMultipart")]
    + [("os", "stat_result"), ("os", "terminal_size"), ("numpy", "memmap")]
)
"""Names that are listed although a wider entry of the deny-list covers them."""


def seeds() -> Iterator[tuple[str, str, list[str]]]:
    """Yield (grade, module, names) of every line."""
    for block in (STDLIB, NUMPY, TORCH, SKLEARN, PANDAS, BOOSTERS, OTHERS):
        for line in block.strip().splitlines():
            letter, module, *names = line.split()
            yield letter, module, names


def attributes() -> Iterator[tuple[str, str, list[str]]]:
    """Yield (module, owner, names) of the attribute look-ups that saved models make."""
    import torch

    for line in ATTRIBUTES.strip().splitlines():
        owner, *names = line.split()
        module, _, cls = owner.rpartition(".")
        yield module, cls, names
    found = [name for name in dir(torch._C._VariableFunctions) if not name.startswith("_")]
    risky = {"from_file", "frombuffer", "set_vital", "read_vitals"}
    yield "torch._C", "_VariableFunctionsClass", [name for name in found if name not in risky]
    yield "torch._C", "_VariableFunctions", [name for name in found if name not in risky]
