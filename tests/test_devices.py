from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch

from taller_cnn.devices import choose_device, choose_precision, cpu_has_bfloat16, sum_dtype
from taller_cnn.errors import ConfigError
from taller_cnn.messages import Messages

CPU = torch.device("cpu")

SAPPHIRE_RAPIDS = """\
processor\t: 0
vendor_id\t: GenuineIntel
model name\t: Intel(R) Xeon(R) Platinum 8481C CPU @ 2.70GHz
flags\t\t: fpu vme sse4_2 avx2 avx512f avx512_bf16 amx_bf16 avx512_fp16 amx_tile
bugs\t\t: spectre_v1

processor\t: 1
flags\t\t: fpu vme
"""
ZEN_4 = (
    "processor\t: 0\nvendor_id\t: AuthenticAMD\nflags\t\t: fpu avx2 avx512f avx512_bf16 sha_ni\n"
)
ZEN_3 = "processor\t: 0\nvendor_id\t: AuthenticAMD\nflags\t\t: fpu avx2 f16c sha_ni\n"
ONLY_A_NAME = "model name\t: avx512_bf16 edition\nflags\t\t: fpu avx512_bf16_not avx2\n"
GRAVITON_3 = "processor\t: 0\nBogoMIPS\t: 2100.00\nFeatures\t: fp asimd sve i8mm bf16 dgh\n"
RASPBERRY_PI_4 = "processor\t: 0\nFeatures\t: fp asimd evtstrm crc32 cpuid\nCPU part\t: 0xd08\n"
SECOND_CORE_ONLY = "processor\t: 0\nFeatures\t: fp\n\nprocessor\t: 1\nFeatures\t: fp bf16\n"


@pytest.mark.parametrize(
    ("cpuinfo", "native"),
    [
        (SAPPHIRE_RAPIDS, True),
        (ZEN_4, True),
        (ZEN_3, False),
        (ONLY_A_NAME, False),
        (GRAVITON_3, True),
        (RASPBERRY_PI_4, False),
        (SECOND_CORE_ONLY, False),
        ("", False),
    ],
)
def test_bfloat16_is_read_from_the_flags_of_the_first_processor(
    cpuinfo: str, native: bool, tmp_path: Path
) -> None:
    path = tmp_path / "cpuinfo"
    path.write_text(cpuinfo)
    assert cpu_has_bfloat16(path) is native


def test_without_a_cpuinfo_file_there_is_no_native_bfloat16(tmp_path: Path) -> None:
    assert not cpu_has_bfloat16(tmp_path / "none")


def test_a_cpuinfo_file_in_an_odd_encoding_is_read_all_the_same(tmp_path: Path) -> None:
    path = tmp_path / "cpuinfo"
    path.write_bytes(b"model name : \xff\xfe\nflags : avx512_bf16\n")
    assert cpu_has_bfloat16(path)


def test_auto_takes_the_best_device_that_is_here_and_says_why() -> None:
    choice = choose_device("auto")
    if torch.cuda.is_available():
        expected = "cuda"
    elif torch.backends.mps.is_available():
        expected = "mps"
    else:
        expected = "cpu"
    assert (choice.value.type, choice.reason) == (expected, f"device_auto_{expected}")


def test_the_processor_is_always_there_when_asked_for() -> None:
    choice = choose_device("cpu")
    assert (choice.value, choice.reason) == (CPU, "asked")


@pytest.mark.parametrize(
    "name", ["tpu", "", "AUTO", "cpu:x", "cuda:999", "meta", "cpu\0", "mps:9a"]
)
def test_a_device_that_is_not_here_is_refused_with_those_that_are(name: str) -> None:
    with pytest.raises(ConfigError) as caught:
        choose_device(name)
    assert caught.value.values["field"] == "device"
    assert caught.value.values["value"] == name
    for language in ("es", "en"):
        assert "cpu" in caught.value.text(Messages(language))


def test_auto_precision_is_bfloat16_exactly_where_the_processor_has_it() -> None:
    native = sys.platform == "linux" and cpu_has_bfloat16(Path("/proc/cpuinfo"))
    choice = choose_precision("auto", CPU)
    expected = (torch.bfloat16, "native") if native else (torch.float32, "no_native")
    assert (choice.value, choice.reason.removeprefix("precision_")) == expected


@pytest.mark.parametrize("name", ["float32", "bfloat16"])
def test_a_precision_that_was_asked_for_is_taken(name: str) -> None:
    choice = choose_precision(name, CPU)
    assert choice.value == getattr(torch, name)
    assert choice.reason == "asked"


def test_bfloat16_is_refused_on_a_device_without_it() -> None:
    with pytest.raises(ConfigError, match="bfloat16 does not work on the device mps"):
        choose_precision("bfloat16", torch.device("mps"))
    assert choose_precision("auto", torch.device("mps")).value == torch.float32
    assert choose_precision("float32", torch.device("mps")).value == torch.float32


def test_sums_are_float64_but_where_there_is_none() -> None:
    kinds = {kind: sum_dtype(torch.device(kind)) for kind in ("cpu", "cuda", "mps")}
    assert kinds == {"cpu": torch.float64, "cuda": torch.float64, "mps": torch.float32}


@pytest.mark.parametrize("language", ["es", "en"])
def test_every_reason_is_a_sentence_for_the_reader(language: str) -> None:
    reasons = ["asked", "precision_native", "precision_no_native"]
    reasons += [f"device_auto_{kind}" for kind in ("cpu", "mps", "cuda")]
    texts = [Messages(language)(f"devices.{reason}") for reason in reasons]
    assert len(set(texts)) == len(reasons)
