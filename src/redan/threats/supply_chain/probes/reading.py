"""Which files a probe of texts opens; told by name alone, because most files under a path are none of its business."""

from __future__ import annotations

# what is told by these endings is no text, and need not be opened to know
_BINARY = (
    ".pkl .pickle .pt .pth .bin .ckpt .joblib .npy .npz .h5 .hdf5 .keras .onnx .tflite .pb .gguf .ggml .safetensors"
    " .zip .gz .bz2 .xz .zst .7z .tar .tgz .whl .jar .mar .nemo .skops .png .jpg .jpeg .gif .bmp .webp .tif .tiff .ico"
    " .pdf .mp3 .mp4 .wav .avi .mov .parquet .arrow .feather .so .dll .dylib .exe .o .a .pyc .woff .woff2 .ttf .db"
    " .sqlite .model .msgpack .dill .idx"
)
_ENDINGS = frozenset(_BINARY.split())


def may_be_text(name: str) -> bool:
    """Tell by a file's name whether opening it is worth while."""
    dot = name.rfind(".")
    return dot < 0 or name[dot:].lower() not in _ENDINGS
