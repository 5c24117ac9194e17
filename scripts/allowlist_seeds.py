"""Names that the allow-lists contain because a person says so: the grade, the module, the names.

Grades: c class (created and given a state), k constructor (called with arguments), f function (called), v value (only
referred to), s special (judged by its arguments). Names of older versions stand here, since no installation has them.
"""

from __future__ import annotations

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
c inspect Signature Parameter
k http HTTPStatus
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
c scipy.sparse.csr csr_matrix
c scipy.sparse.csc csc_matrix
c scipy.sparse.coo coo_matrix
c scipy.sparse.lil lil_matrix
c scipy.sparse.dok dok_matrix
c accelerate.state AcceleratorState PartialState
k accelerate.state DistributedType
k accelerate.utils.dataclasses DistributedType DynamoBackend PrecisionType
c accelerate.utils.dataclasses DeepSpeedPlugin FullyShardedDataParallelPlugin GradientAccumulationPlugin
"""

SKLEARN_VALUES = (
    "sklearn.metrics", "sklearn.feature_selection", "sklearn.preprocessing", "sklearn.gaussian_process",
    "sklearn.neural_network._base", "sklearn.decomposition", "sklearn.covariance", "sklearn.utils.extmath",
    "sklearn.utils.validation", "sklearn.feature_extraction", "sklearn.neighbors", "sklearn.cluster", "sklearn.base",
)  # fmt: skip
"""Modules whose functions fitted estimators refer to."""

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
    + [("sklearn.externals.joblib.numpy_pickle", "NumpyArrayWrapper")]
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

    found = [name for name in dir(torch._C._VariableFunctions) if not name.startswith("_")]
    risky = {"from_file", "frombuffer", "set_vital", "read_vitals"}
    yield "torch._C", "_VariableFunctionsClass", [name for name in found if name not in risky]
    yield "torch._C", "_VariableFunctions", [name for name in found if name not in risky]
