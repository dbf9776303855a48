"""The few pickle instructions that checkpoints are made of, without running anything.

A pickle is a program: Python's own reader calls whatever function it names. This one knows no
functions at all. It keeps a stack of plain values; a name is a label; a call is understood for the
handful of names below and refused for every other. What it returns holds nothing but containers,
numbers, strings, ``Tensor``s and, for the modules of TorchScript archives, ``Module``s with their
attributes. Nothing is imported or executed, and each instruction costs memory in proportion to the
bytes it takes up (Python's own reader can be made to allocate 64 GB by nine bytes).
"""

from __future__ import annotations

import pickletools
from dataclasses import dataclass, field
from io import BytesIO
from mmap import mmap
from typing import IO, Any, TypeVar, cast

from mien.weights.tensor import CheckpointError

T = TypeVar("T")

MAX_INSTRUCTIONS = 2_000_000
"""An official checkpoint with its optimizer takes some 30,000."""

KINDS = {
    "DoubleStorage": "f8",
    "FloatStorage": "f4",
    "HalfStorage": "f2",
    "BFloat16Storage": "bf2",
    "LongStorage": "i8",
    "IntStorage": "i4",
    "ShortStorage": "i2",
    "CharStorage": "i1",
    "ByteStorage": "u1",
    "BoolStorage": "b1",
}

MAX_DIMENSIONS = 8
MAX_STORAGE_KEY = 64

_TENSORS = frozenset(("torch._utils._rebuild_tensor", "torch._utils._rebuild_tensor_v2"))

_HOW_TO_SAVE = "load it in the program it was made with and save its state_dict() with torch.save"

_VALUES = frozenset(
    (
        *("BININT", "BININT1", "BININT2", "LONG1", "LONG4", "BINFLOAT"),
        *("BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8"),
        *("BINSTRING", "SHORT_BINSTRING", "BINBYTES", "SHORT_BINBYTES", "BINBYTES8"),
    )
)
"""Instructions that are a value."""

_INERT = frozenset(
    (
        "argparse.Namespace",
        "collections.Counter",
        "collections.defaultdict",
        "_codecs.encode",
        "numpy.core.multiarray.scalar",
        "numpy._core.multiarray.scalar",
        "numpy.dtype",
        "torch.Size",
        "torch.device",
    )
)
"""Things that are found beside weights and mean nothing to us; they become empty modules."""


@dataclass(frozen=True, slots=True)
class Storage:
    """A row of numbers kept outside the pickle. start, numbers: the part of it that is meant."""

    key: str
    kind: str
    start: int
    numbers: int


@dataclass(frozen=True, slots=True)
class Tensor:
    storage: Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


@dataclass(slots=True, eq=False)
class Module:
    """An object of some class that is not looked at: its attributes, as they were written."""

    attributes: dict[Any, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Pickled:
    """What a pickle describes. kinds: of the numbers of every storage it names, by its key."""

    value: Any
    kinds: dict[str, str]


@dataclass(frozen=True, slots=True)
class _Name:
    """``module.name`` of a function or class, which is only ever compared."""

    path: str


def read_pickle(stream: BytesIO | mmap) -> Pickled:
    """The object that one pickle describes; ``stream`` is left right behind it.

    (A stream in memory, because one of those never gives, nor makes room for, more than it has.)
    Raises CheckpointError for a damaged one and for one that names anything else than tensors.
    """
    machine = _Machine()
    try:
        instructions = pickletools.genops(cast(IO[bytes], stream))
        for count, (opcode, argument, _) in enumerate(instructions):
            if count > MAX_INSTRUCTIONS:
                raise CheckpointError("the file describes far more than weights")
            machine.step(opcode.name, argument)
        (value,) = machine.stack
    except CheckpointError:
        raise
    except (ValueError, IndexError, KeyError, TypeError, OverflowError, AttributeError) as error:
        raise CheckpointError(
            f"the file's description of its tensors is damaged ({error}); get it again"
        ) from error
    return Pickled(value, machine.kinds)


class _Machine:
    """A stack, the stacks below the marks in it, and the memo of values that are used again."""

    def __init__(self) -> None:
        self.kinds: dict[str, str] = {}
        self.stack: list[Any] = []
        self._below: list[list[Any]] = []
        self._memo: dict[int, Any] = {}

    def step(self, name: str, argument: Any) -> None:
        """Carry out one instruction, by its name in ``pickletools``."""
        match name:
            case "PROTO" | "FRAME" | "STOP":
                pass
            case "MARK":
                self._below.append(self.stack)
                self.stack = []
            case "POP":
                self.stack.pop()
            case "POP_MARK":
                self._since_mark()
            case "BINPUT" | "LONG_BINPUT":
                self._memo[argument] = self.stack[-1]
            case "MEMOIZE":
                self._memo[len(self._memo)] = self.stack[-1]
            case "APPEND":
                value = self.stack.pop()
                _expect(list, self.stack[-1]).append(value)
            case "APPENDS":
                values = self._since_mark()
                _expect(list, self.stack[-1]).extend(values)
            case "SETITEM":
                pair = self._take(2)
                _attributes(self.stack[-1]).update(_pairs(pair))
            case "SETITEMS":
                values = self._since_mark()
                _attributes(self.stack[-1]).update(_pairs(values))
            case "BUILD":
                state = self.stack.pop()
                _build(self.stack[-1], state)
            case _:
                value = self._made(name, argument)
                self.stack.append(value)

    def _made(self, name: str, argument: Any) -> Any:
        """The value that an instruction puts on the stack, in place of those it takes."""
        if name in _VALUES:
            return argument
        match name:
            case "NONE":
                return None
            case "NEWTRUE" | "NEWFALSE":
                return name == "NEWTRUE"
            case "EMPTY_DICT":
                return {}
            case "EMPTY_LIST":
                return []
            case "EMPTY_TUPLE":
                return ()
            case "TUPLE":
                return tuple(self._since_mark())
            case "TUPLE1" | "TUPLE2" | "TUPLE3":
                return tuple(self._take(int(name[-1])))
            case "LIST":
                return self._since_mark()
            case "DICT":
                return _pairs(self._since_mark())
            case "BINGET" | "LONG_BINGET":
                return self._memo[argument]
            case "GLOBAL":
                return _Name(argument.replace(" ", ".", 1))
            case "STACK_GLOBAL":
                module, attribute = self._take(2)
                return _Name(f"{_expect(str, module)}.{_expect(str, attribute)}")
            case "BINPERSID":
                storage = _storage(*_expect(tuple, self.stack.pop()))
                self.kinds[storage.key] = storage.kind
                return storage
            case "REDUCE" | "NEWOBJ":
                called, arguments = self._take(2)
                return _call(_expect(_Name, called).path, _expect(tuple, arguments))
        raise CheckpointError(
            f"the file uses the pickle instruction {name}, which no checkpoint needs; it was not "
            "read any further"
        )

    def _take(self, count: int) -> list[Any]:
        if len(self.stack) < count:
            raise IndexError("a value is missing")
        values = self.stack[-count:]
        del self.stack[-count:]
        return values

    def _since_mark(self) -> list[Any]:
        values, self.stack = self.stack, self._below.pop()
        return values


def _expect(kind: type[T], value: Any) -> T:
    if not isinstance(value, kind):
        raise TypeError(f"a {type(value).__name__} in place of a {kind.__name__.lower()}")
    return value


def _pairs(values: list[Any]) -> dict[Any, Any]:
    if len(values) % 2:
        raise ValueError("a key without a value")
    # Tuples could be nested so deeply that hashing them overflows the stack of the process.
    keys = values[::2]
    for key in keys:
        if not isinstance(key, str | int | float | None):
            raise TypeError(f"a {type(key).__name__} as a key")
    return dict(zip(keys, values[1::2], strict=True))


def _attributes(target: Any) -> dict[Any, Any]:
    if isinstance(target, Module):
        return target.attributes
    return _expect(dict, target)


def _build(target: Any, state: Any) -> None:
    """Attributes of an object; those of a dict (versions of the modules) are of no use."""
    if isinstance(target, Module) and isinstance(state, dict):
        target.attributes.update(state)


def _storage(
    tag: Any = None,
    kind: Any = None,
    key: Any = None,
    _device: Any = None,
    numbers: Any = None,
    view: Any = None,
) -> Storage:
    path = _expect(_Name, kind).path
    if tag != "storage" or path.removeprefix("torch.") not in KINDS:
        raise CheckpointError(
            f"the file holds {path}, not only tensors of plain numbers; {_HOW_TO_SAVE}"
        )
    if len(_expect(str, key)) > MAX_STORAGE_KEY:
        raise ValueError("a storage with an endless name")
    start = 0
    if view is not None:
        _, start, numbers = _expect(tuple, view)
    return Storage(
        key,
        KINDS[path.removeprefix("torch.")],
        _expect(int, start),
        _expect(int, numbers),
    )


def _call(path: str, arguments: tuple[Any, ...]) -> Any:
    if path in _TENSORS:
        storage, offset, shape, strides, *_ = arguments
        return Tensor(
            _expect(Storage, storage), _expect(int, offset), _integers(shape), _integers(strides)
        )
    if path == "torch._utils._rebuild_parameter":
        return _expect(Tensor, arguments[0])
    if path == "collections.OrderedDict":
        listed = _expect(list, arguments[0]) if arguments else []
        return _pairs([part for pair in listed for part in _expect(tuple, pair)])
    if path in _INERT or path.startswith(("__torch__.", "torch.jit._pickle.")):
        return Module()
    raise CheckpointError(
        f"the file asks to run {path}, which weights never need; nothing of it was run. If you "
        f"trust where it comes from: {_HOW_TO_SAVE}"
    )


def _integers(values: Any) -> tuple[int, ...]:
    sides = tuple(_expect(int, value) for value in _expect(tuple, values))
    if len(sides) > MAX_DIMENSIONS:
        raise ValueError(f"a tensor of {len(sides)} dimensions")
    return sides
