"""Files of tensors: written whole, read without running anything, recognised whoever wrote them.

Other programs put things around the weights of a network: a checkpoint that holds more, prefixes
before the names. `weights_in` takes them away. Files that are something else are told for what
they are, from their bytes and not from their name.
"""

from __future__ import annotations

import io
import pickletools
import re
import warnings
import zipfile
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from taller_cnn.commands import command_line
from taller_cnn.errors import ModelError, Phrase
from taller_cnn.files import atomic_path
from taller_cnn.reasons import os_reason

DESCRIPTION = "taller_cnn"
"""Key of the description in a state dict's metadata, which `torch.save` writes along with it."""
SETS = ("state_dict", "model_state_dict", "model", "network", "net", "weights")
"""Usual names of the weights in a checkpoint, the likeliest first."""
WRAPPERS = ("module", "_orig_mod")
"""Put into names by `DataParallel` and its kind, and by `torch.compile`."""
AVERAGED = "n_averaged"
"""The counter that `torch.optim.swa_utils.AveragedModel` adds."""
DEEPEST = 4
"""Dictionaries inside one another that are looked into."""
ASIDE_TOLD = 5
"""Entries beside the weights that are named."""

_ARCHIVE = b"PK\x03\x04"
"""First bytes of a zip archive, which `torch.save` writes since PyTorch 1.6."""
_OLD_MAGIC = b"\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19."
"""The number that files of older versions begin with, as a pickle without its first two bytes."""
_OLD = "PyTorch < 1.6"
_SIGNS = (
    (0, b"\x89HDF\r\n\x1a\n", "HDF5 (Keras)"),
    (0, b"\x93NUMPY", "NumPy (.npy)"),
    (0, b"\x1f\x8b", "gzip"),
    (257, b"ustar", "tar"),
    (4, b"TFL3", "TensorFlow Lite"),
    (0, b"GGUF", "GGUF"),
    (0, b"version https://git-lfs", "Git LFS"),
    (2, _OLD_MAGIC, _OLD),
)
"""Where in a file which bytes are, and what it then is."""
_KERAS = "Keras (.keras)"
_MEMBERS = (
    ("/constants.pkl", "TorchScript"),
    ("/archive_format", "torch.export (.pt2)"),
    (".weights.h5", _KERAS),
    (".npy", "NumPy (.npz)"),
)
"""Ends of the names of members of zip archives that are not `torch.save`'s."""
_CONVERSIONS = {
    "TorchScript": "torch.jit.load({file}).state_dict()",
    "safetensors": "safetensors.torch.load_file({file})",
    "NumPy (.npz)": "{{k: torch.from_numpy(v) for k, v in numpy.load({file}).items()}}",
    _OLD: "torch.load({file}, weights_only=True)",
}
"""Expressions that give the weights in other formats."""


# ------------------------------------------------------------------------ writing and reading


def write_tensors(path: Path, value: Mapping[str, Any]) -> None:
    """Write tensors and plain values, atomically, for `read_tensors`.

    Raises:
        OutputError: the folder cannot be written or is full.
    """
    data = tensor_bytes(dict(value))
    with atomic_path(path) as temporary:
        temporary.write_bytes(data)


def tensor_bytes(value: dict[str, Any]) -> memoryview:
    """`torch.save` into memory: on a full disk it would raise an error without a reason."""
    buffer = io.BytesIO()
    torch.save(value, buffer)
    return buffer.getbuffer()


def read_tensors(path: Path) -> dict[str, Any]:
    """Read a file of tensors and plain values without running anything in it.

    Raises:
        ModelError: not such a file: empty, cut short, damaged, of another format, or a pickle
            with code.
    """
    return _unpacked(path, read_file(path))


def read_file(path: Path) -> bytes:
    """The bytes of a file of weights.

    Raises:
        ModelError: it cannot be read.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise _unreadable(path, os_reason(error)) from error


def _unpacked(path: Path, data: bytes) -> dict[str, Any]:
    """The dictionary in the bytes of `path`."""
    if not data.startswith(_ARCHIVE):
        raise _other_format(path, data)
    try:
        with warnings.catch_warnings():
            # On files that it then refuses, torch warns in words for programmers.
            warnings.simplefilter("ignore")
            value = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    except Exception as error:
        # Which exception damaged bytes raise depends on the bytes.
        raise _refusal(path, data, error) from error
    if not isinstance(value, dict):
        raise _no_weights(path, type(value).__name__)
    return value


def is_intact(data: bytes) -> bool:
    """Whether every member of a zip archive has the checksum that was written with it.

    `torch.load` does not look at them.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return archive.testzip() is None
    except Exception:
        # As with torch: damaged bytes raise anything.
        return False


# ------------------------------------------------------------------- what a file is, if refused


def _other_format(path: Path, data: bytes) -> ModelError:
    """The error for what is no zip archive."""
    name = _format(data)
    if name == _OLD and b"_parameters" in data:
        return _whole_network(path, "")
    if name:
        return _not_ours(path, name)
    return _unreadable(path, Phrase("reason_not_archive" if data else "reason_empty"))


def _format(data: bytes) -> str | None:
    """The format of what is no zip archive, if it is a known one."""
    for start, sign, name in _SIGNS:
        if data.startswith(sign, start):
            return name
    if data[8:10] == b'{"' and int.from_bytes(data[:8], "little") <= len(data) - 8:
        return "safetensors"
    if data[:1] == b"\x80" and data.endswith(b"."):
        return "pickle (Python)"
    if data[:1] == b"\x08" and any(
        maker in data[:64] for maker in (b"pytorch", b"onnx", b"taller-cnn")
    ):
        return "ONNX"
    text = data[:256].lstrip().lower()
    return "HTML" if text.startswith((b"<!doctype html", b"<html")) else None


def _archive_format(members: list[str]) -> str | None:
    """The format of a zip archive that is not `torch.save`'s."""
    for ending, name in _MEMBERS:
        if any(member.endswith(ending) for member in members):
            return name
    return None if any(member.endswith("/data.pkl") for member in members) else "ZIP"


def _not_ours(path: Path, name: str) -> ModelError:
    """The error for a known format, with what converts it where there is such a thing."""
    if name == _KERAS:
        return ModelError(
            "model_keras", path=path, command=command_line("import", "keras", str(path), options={})
        )
    reason = Phrase("reason_format", {"format": name})
    if name not in _CONVERSIONS:
        return _unreadable(path, reason)
    code = _CONVERSIONS[name].format(file=repr(str(path)))
    return ModelError("model_resave", path=path, reason=reason, code=code)


def _whole_network(path: Path, place: str) -> ModelError:
    """The error for a pickled network; `place` is the subscript that leads to it."""
    code = f"torch.load({str(path)!r}, weights_only=False){place}.state_dict()"
    return ModelError("model_resave", path=path, reason=Phrase("reason_network"), code=code)


def _unreadable(path: Path, reason: Phrase | str) -> ModelError:
    return ModelError("model_unreadable", path=path, reason=reason)


def _refusal(path: Path, data: bytes, error: Exception) -> ModelError:
    """The error for an archive that torch refused; its own text advises to read it unsafely."""
    code = re.search(r"GLOBAL (\S+)", str(error))
    if code:
        place = _network_place(data)
        if place is not None:
            return _whole_network(path, place)
        return _unreadable(path, Phrase("reason_code", {"code": code[1]}))
    if not is_intact(data):
        return _unreadable(path, Phrase("reason_damaged"))
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        name = _archive_format(archive.namelist())
    return _not_ours(path, name) if name else _unreadable(path, Phrase("reason_unsupported"))


def _network_place(data: bytes) -> str | None:
    """The subscript that leads to the pickled network in an archive; None if it holds none.

    The pickle is read as text and not run. A network's attributes begin with ``training`` and
    ``_parameters``, right after the name of its class.
    """
    key = place = ""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            (pickle,) = [name for name in archive.namelist() if name.endswith("/data.pkl")]
            code = archive.read(pickle)
        for operation, value, _ in pickletools.genops(code):
            if operation.name == "GLOBAL":
                place = f"[{key!r}]" if key else ""
            elif operation.name == "BINUNICODE" and value == "_parameters":
                return place
            elif operation.name == "BINUNICODE":
                key = str(value)
    except Exception:
        # Damaged bytes again.
        return None
    return None


def _no_weights(path: Path, content: str) -> ModelError:
    return _unreadable(path, Phrase("reason_no_weights", {"found": content}))


# --------------------------------------------------------------- what is around a network's weights


@dataclass(frozen=True, kw_only=True, eq=False)
class Weights:
    """The weights in a file, without what other programs put around them."""

    state: dict[str, Tensor]
    """Tensors by name, at least one; of the plain sort, with a number in every place."""
    description: Any
    """What travels with them under `DESCRIPTION`; None without."""
    wrapping: str
    """What was around them and was left aside, e.g. ``state_dict, module.``; empty if nothing."""


def weights_in(path: Path, data: bytes) -> Weights:
    """The weights in the bytes of `path`, wherever in them they are.

    Raises:
        ModelError: not a safe file of tensors, or it holds none by name.
    """
    value = _unpacked(path, data)
    sets = [(keys, holder) for keys, holder in _dictionaries(value) if _tensors(holder)]
    if not sets:
        others = [f"{_word(key)}: {type(entry).__name__}" for key, entry in dict.items(value)]
        raise _no_weights(path, others[0] if others else "{}")
    keys, holder = min(sets, key=_unlikeliness)
    tensors = _tensors(holder)
    for name, tensor in tensors.items():
        if kind := _odd_kind(tensor):
            raise _unreadable(path, Phrase("reason_not_dense", {"name": name, "kind": kind}))
    state, prefixes = _bare(tensors)
    aside = [_word(key) for key in dict.keys(holder) if key not in tensors]
    if len(aside) > ASIDE_TOLD:
        aside = [*aside[:ASIDE_TOLD], "…"]
    return Weights(
        state=state,
        description=_description(holder),
        wrapping=", ".join([*keys, *prefixes, *aside]),
    )


def _description(holder: dict[Any, Any]) -> Any:
    """What travels with a state dict under `DESCRIPTION`."""
    metadata = getattr(holder, "_metadata", None)
    value = dict.get(metadata, DESCRIPTION) if isinstance(metadata, dict) else None
    # A plain dictionary, as in `_dictionaries`.
    return dict(dict.items(value)) if isinstance(value, dict) else value


def _odd_kind(tensor: Tensor) -> str:
    """What keeps a tensor from having a number in every place; empty if nothing does."""
    if tensor.is_quantized:
        return "quantized"
    if tensor.is_meta or tensor.is_nested:
        return "meta" if tensor.is_meta else "nested"
    return "" if tensor.layout is torch.strided else str(tensor.layout).removeprefix("torch.")


def _dictionaries(value: dict[Any, Any]) -> Iterator[tuple[tuple[str, ...], dict[Any, Any]]]:
    """The dictionaries in `value` with the keys that lead to them, outer ones first."""
    waiting: deque[tuple[tuple[str, ...], dict[Any, Any]]] = deque([((), value)])
    seen: set[int] = set()
    while waiting:
        keys, holder = waiting.popleft()
        if id(holder) in seen or len(keys) > DEEPEST:
            continue
        seen.add(id(holder))
        yield keys, holder
        # Not holder.items(): a file may give its dictionary attributes of any name.
        inner = [(key, entry) for key, entry in dict.items(holder) if isinstance(entry, dict)]
        waiting.extend(((*keys, _word(key)), entry) for key, entry in inner)


def _word(key: Any) -> str:
    """A key for the reader; of what is no text only its kind, for it may be a whole tensor."""
    return key if isinstance(key, str) else type(key).__name__


def _tensors(holder: dict[Any, Any]) -> dict[str, Tensor]:
    items = dict.items(holder)
    return {k: v for k, v in items if isinstance(k, str) and isinstance(v, Tensor)}


def _unlikeliness(entry: tuple[tuple[str, ...], dict[Any, Any]]) -> tuple[int, int]:
    """Smallest for the dictionary that is most like a network's weights."""
    keys, holder = entry
    layers = sum(name.endswith((".weight", ".bias")) for name in _tensors(holder))
    usual = SETS.index(keys[-1]) if keys and keys[-1] in SETS else len(SETS)
    return -layers, usual


def _bare(state: dict[str, Tensor]) -> tuple[dict[str, Tensor], list[str]]:
    """The tensors under their names without prefixes, and the prefixes."""
    names = {name: name.split(".") for name in state if name != AVERAGED or len(state) == 1}
    undone = [f"{word}." for word in WRAPPERS if any(word in parts for parts in names.values())]
    bare = {
        name: [part for part in parts[:-1] if part not in WRAPPERS] + parts[-1:]
        for name, parts in names.items()
    }
    # A network has several layers, so what all names begin with is none of them.
    while all(len(parts) > 2 for parts in bare.values()):
        shared = {parts[0] for parts in bare.values()}
        if len(shared) > 1:
            break
        undone.append(f"{shared.pop()}.")
        bare = {name: parts[1:] for name, parts in bare.items()}
    renamed = {".".join(parts): state[name] for name, parts in bare.items()}
    if len(renamed) < len(names):
        # Two names would become one.
        return state, []
    return renamed, undone + [AVERAGED] * (len(names) < len(state))
