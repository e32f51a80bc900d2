"""What to suggest for an unknown word: ours for the same thing, a slip of the keys, or nothing.

Names come from the habits of other tools (PyTorch's examples, Keras, Kaggle's notebooks), and are
compared by letters and digits alone: ``batch_size``, ``batchSize`` and ``batch-size`` are one.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from difflib import get_close_matches

FLOOR = 0.8
"""Least share of letters in common, from 0 to 1: one slip in a word of five letters."""
LEAST_LENGTH = 4
"""Letters from which on the beginning of a name, or its singular, stands for it."""

_OPTIONS: Mapping[str, str] = {
    "--learning-rate": "lr eta alpha initlr baselr maxlr stepsize",
    "--batch-size": "b bs batch batches trainbatchsize minibatch minibatchsize batchsz",
    "--epochs": "e ep epoch numepochs nepochs nepoch maxepochs totalepochs iterations",
    "--filters": "channels numfilters nfilters numchannels outchannels layers numlayers nlayers "
    "convlayers conv conv2d convs convfilters width",
    "--kernel-size": "k kernel ksize kernels filtersize",
    "--hidden": "units hiddensize hiddenunits hiddendim nhidden dense denseunits fc neurons",
    "--dropout": "p drop dropoutrate droprate dropoutp dropoutprob pdrop",
    "--batch-norm": "bn usebn batchnormalization",
    "--activation": "act activationfunction nonlinearity",
    "--pooling": "pool pooltype",
    "--optimizer": "opt optim optimiser solver",
    "--schedule": "sched scheduler lrscheduler lrschedule lrpolicy",
    "--warmup": "warmupepochs warmupsteps warmupratio warmupfraction pctstart",
    "--beta1": "beta betas adambeta1",
    "--beta2": "adambeta2",
    "--label-smoothing": "smoothing labelsmooth ls",
    "--augmentation": "aug augment augmentations dataaugmentation useaugmentation transform",
    "--holdout": "valsplit validationsplit valsize valfraction validationsize valratio valpct",
    "--seed": "s randomseed randomstate manualseed rngseed",
    "--threads": "numthreads nthreads",
    "--precision": "dtype amp mixedprecision",
    "--precision bfloat16": "bf16 fp16 half float16",
    "--precision float32": "fp32 noamp",
    "--device cpu": "cpu nocuda nogpu nomps noaccel disablecuda usecpu",
    "--device cuda": "gpu cuda gpus usecuda usegpu ngpu gpuid",
    "--device mps": "mps usemps",
    "--data-dir": "data datapath dataroot root datafolder datasetpath datasetdir rootdir",
    "--dataset fashion-mnist": "fashion fashionmnist",
    "--dataset kmnist": "kmnist",
    "--source sample": "sample small subset",
    "--source full": "full",
    "--split test": "test",
    "--split validation": "val valid validation",
    "--from": "pretrained weights finetune initfrom initweights loadmodel load",
    "--resume": "checkpoint ckpt resumefrom continue restore loadcheckpoint",
    "--model": "m modelpath modelfile weights checkpoint ckpt load loadmodel pretrained",
    "--output": "out o outputfile outfile",
    "--workdir": "output out outputdir outdir savedir savepath savemodelpath logdir modeldir "
    "resultsdir expdir rundir",
    "--ensemble": "nummodels nmodels nets",
    "--views": "tta testtimeaugmentation",
    "--quiet": "q silent noprogress",
    "--lang": "language locale",
    "--no-browser": "noopen headless",
    "--host": "bind address addr ip listen",
    "--robust": "handwriting",
}
"""By what is typed here, the names that others have for it."""

_WORDS: Mapping[str, str] = {
    "mnist": "digits mnist784",
    "fashion-mnist": "fashion",
    "kmnist": "kuzushiji kuzushijimnist",
    "validation": "val valid dev",
    "cuda": "gpu nvidia",
    "cpu": "none processor",
    "mps": "metal",
    "float32": "fp32 float single full",
    "bfloat16": "bf16 half fp16 float16",
    "max": "maxpool maxpool2d maxpooling2d",
    "avg": "average mean avgpool avgpool2d averagepooling2d",
    "one-cycle": "onecyclelr",
    "constant": "none fixed",
    "train": "fit learn",
    "evaluate": "eval test score validate",
    "data": "dataset datasets download",
    "describe": "summary info arch torchinfo",
    "study": "sweep tune ablation experiment compare",
    "explain": "interpret visualize visualise gradcam",
    "predict": "infer inference read classify recognize",
    "lab": "serve web ui gui demo app",
    "export": "convert onnx keras",
}
"""By a value or a command here, the names that others have for it."""

_OTHER_THINGS = "testbatchsize hiddenlayers emnist qmnist nadam adamax radam elu selu celu prelu"
"""Names that look like one of ours and are of something that is not here."""


def similar_option(name: str, flags: Collection[str]) -> str | None:
    """What to type instead of an option that a command has not, or None.

    Args:
        name: the option with its dashes.
        flags: the options of the command, as they are typed.
    """
    asked = _letters(name)
    for typed, names in _OPTIONS.items():
        if _is_among(asked, names) and typed.partition(" ")[0] in flags:
            return typed
    return _similar(asked, sorted(flags)) or _begun(asked, flags)


def similar_word(word: str, allowed: Collection[str]) -> str | None:
    """The one of some words that is meant by another word, or None."""
    asked = _letters(word)
    for ours, names in _WORDS.items():
        if _is_among(asked, names) and ours in allowed:
            return ours
    return _similar(asked, allowed)


def _is_among(asked: str, names: str) -> bool:
    """Whether it is one of the names, or its plural."""
    known = names.split()
    return asked in known or (len(asked) >= LEAST_LENGTH and f"{asked}s" in known)


def _similar(asked: str, words: Collection[str]) -> str | None:
    """The word that is the same but for a slip of the keys."""
    by_letters = {_letters(word): word for word in words}
    if asked in _OTHER_THINGS.split():
        return None
    swapped = [letters for letters in by_letters if sorted(letters) == sorted(asked)]
    close = get_close_matches(asked, by_letters, n=1, cutoff=FLOOR) or swapped
    return by_letters[close[0]] if close else None


def _begun(asked: str, flags: Collection[str]) -> str | None:
    """The shortest option that begins so."""
    if len(asked) < LEAST_LENGTH:
        return None
    return min((f for f in flags if _letters(f).startswith(asked)), key=len, default=None)


def _letters(word: str) -> str:
    return re.sub(r"[^a-z0-9]", "", word.lower())
