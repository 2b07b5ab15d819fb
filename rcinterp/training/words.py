"""Filters that start from words: short words of the training set that tell its classes apart.

docs/explanation/recipe.md derives the start and measures what it does.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from rcinterp.data.datasets import Dataset
from rcinterp.data.sequences import letter_codes, reverse_complement_codes
from rcinterp.reading.model import place_of, predict
from rcinterp.training.baseline import K, count_words_in, words_at
from rcinterp.training.initialisation import FirstLayer, ReadOut, find_first_layer, find_read_outs
from rclayers import reverse_complement

#: Score from which a word of the positives is taken: of 300 sets without a motif 2 had such a word.
POSITIVE_SCORE = 4.5
#: And a word of the negatives, which are seldom alike: what tells them apart is more often their composition.
NEGATIVE_SCORE = 6.0
#: Standard score of the share of G and C from which composition may have filters of its own, where these help.
COMPOSITION_SCORE = 2.0
#: Words at most that are looked for.
MOST_WORDS = 16
#: Letters of the training set at most that are looked at.
_MOST_LETTERS = 5_000_000
#: Sequences that a word must stand in, in effect, to have a score.
_FEWEST = 3.0
#: Sequences of either class that must be expected to hold it: with fewer, scores are not normal.
_FEWEST_EXPECTED = 4.0
#: Score that a word of one other letter must have, as a share of the word's own, for its sites to count too.
_NEIGHBOUR_SHARE = 0.25
#: Sequences of the pass that measures batch norm's statistics, and of each of its batches.
_PASS, _BATCH = 1000, 100
#: Letters at most on which the read-out is weighed.
_MOST_WEIGHED = 1_000_000
#: Where batch norm cuts a filter of composition [sd]: below nearly all of its outputs.
_OPEN = 2.0
_UNKNOWN = 4


@dataclass(frozen=True, eq=False)
class Word:
    """A word that tells the classes apart.

    Attributes
    ----------
    letters : str
        Or "G+C" and "A+T", for filters of composition.
    score : float
        Standard normal where composition alone tells the classes apart (for composition: where nothing does); positive
        for a word of the positives.
    task : int
        Whose classes it tells apart.
    log_odds : ndarray, shape (4, W)
        Of the letters about its sites in that class against the class's composition, centred; what a filter starts as.
    """

    letters: str
    score: float
    task: int
    log_odds: NDArray[np.float64]

    def __str__(self) -> str:
        """Show letters and score: CACTAG +9.6."""
        return f"{self.letters} {self.score:+.1f}"


def find_words(data: Dataset, width: int, n_words: int = MOST_WORDS) -> list[Word]:
    """Words that tell positives from negatives beyond their composition, one after the other, the best of a task first.

    Parameters
    ----------
    data : Dataset
        A training set.
    width : int
        Of the filters, at least `K`; the word stands in their middle.
    n_words : int
        At most.

    Returns
    -------
    list of Word
        Empty if no word has the score that it takes (`POSITIVE_SCORE`, `NEGATIVE_SCORE`).

    Notes
    -----
    With y the labels, P the words that each sequence holds (on either strand, 0 or 1) and C its shares of
    trinucleotides, both are freed of what C explains by least squares, and a word w scores ::

        z[w] = P[:, w]·y / (sd(y) sqrt(P[:, w]·P[:, w])),

    which is the score test of the word in a linear model that has the composition. The best word is taken with those
    of one other letter that score a quarter of it; the letters about their sites make its log-odds. Its sites become N,
    and all is done again.
    """
    rows = np.arange(len(data))
    most = max(1, _MOST_LETTERS // data.length)
    if len(rows) > most:
        rows = np.sort(np.random.default_rng(0).choice(rows, most, replace=False))
    codes = letter_codes(data.x[rows])
    found = [
        word
        for task in range(data.n_tasks)
        for word in _find_words_of(codes, data.y[rows, task].numpy().astype(np.float64), task, width, n_words)
    ]
    if data.n_tasks == 1:
        return found
    own: list[Word] = []  # a word once, whatever tasks it serves
    for word in sorted(found, key=lambda word: -abs(word.score)):
        if not any(_are_kin(word.letters, other.letters) for other in own):
            own.append(word)
    return own[:n_words]


def find_composition(data: Dataset, width: int) -> list[Word]:
    """A filter that counts G and C and one that counts A and T, the positives' first; none if the classes have alike.

    Notes
    -----
    The score is Welch's, of the difference of the two classes' mean share of G and C.
    """
    share = (data.x.mean(2)[:, 1:3]).sum(1).double().numpy()
    is_positive = data.y[:, 0].numpy() > 0
    parts = share[is_positive], share[~is_positive]
    if min(map(len, parts)) < 2:
        return []
    error = np.sqrt(sum(part.var(ddof=1) / len(part) for part in parts))
    score = float((parts[0].mean() - parts[1].mean()) / max(error, 1e-12))
    if abs(score) < COMPOSITION_SCORE:
        return []
    strong = np.repeat([[-1.0], [1.0], [1.0], [-1.0]], width, axis=1)
    found = [Word("G+C", score, 0, strong), Word("A+T", -score, 0, -strong)]
    return found if score > 0 else found[::-1]


def _find_words_of(given: NDArray[Any], y: NDArray[np.float64], task: int, width: int, n_words: int) -> list[Word]:
    codes, found = given.copy(), list[Word]()
    for _ in range(n_words):
        score = _score_words(codes, y)
        word = int(np.where(score > 0, score / POSITIVE_SCORE, -score / NEGATIVE_SCORE).argmax())
        if not (score[word] >= POSITIVE_SCORE or score[word] <= -NEGATIVE_SCORE):
            break
        kin = _one_letter_off(word)
        kin = kin[np.sign(score[word]) * score[np.minimum(kin, _reverse(kin))] > _NEIGHBOUR_SHARE * abs(score[word])]
        forward, reverse, whole = words_at(codes, K)
        hits = [np.isin(words, kin) & whole for words in (forward, reverse)]
        own = y == (score[word] > 0)
        found.append(Word(_spell(word), float(score[word]), task, _log_odds(given, hits, own, width)))
        for hit in hits:
            sequence, start = np.nonzero(hit)
            for j in range(1, K - 1):
                codes[sequence, start + j] = _UNKNOWN
    return found


def _score_words(codes: NDArray[Any], y: NDArray[np.float64]) -> NDArray[np.float64]:
    """Score of every word, under the first of it and its reverse complement; 0 of those that hardly occur."""
    composition = count_words_in(codes, 3).toarray()
    composition = composition[:, composition.any(0)]
    composition /= np.maximum(composition.sum(1, keepdims=True), 1)
    basis = np.linalg.qr(composition)[0]  # the shares add up to 1, so that a constant is among them
    left = y - basis @ (basis.T @ y)
    held = count_words_in(codes, K)
    held.data[:] = 1
    size = np.asarray(held.sum(0)).ravel() - ((held.T @ basis) ** 2).sum(1)
    score = (held.T @ left) / np.sqrt(np.maximum(size, _FEWEST) * max(float(left.var()), 1e-12))
    n_held, share = np.asarray(held.sum(0)).ravel(), float(y.mean())
    in_positives = held.T @ y
    excess = in_positives - share * n_held  # what composition explains away entirely is no word of the other class
    own = np.where(score > 0, in_positives, n_held - in_positives)
    is_normal = (size > _FEWEST) & (np.minimum(share, 1 - share) * n_held >= _FEWEST_EXPECTED)
    return np.where(is_normal & (score * excess > 0) & (own >= _FEWEST_EXPECTED), score, 0.0)


def _log_odds(codes: NDArray[Any], hits: list[NDArray[np.bool_]], own: NDArray[np.bool_], width: int) -> NDArray[Any]:
    """Centred log-odds (4, width) of the letters about a class's hits, on either strand, against its composition."""
    left, right = (width - K) // 2, width - K - (width - K) // 2
    padded = np.pad(codes, ((0, 0), (width, width)), constant_values=_UNKNOWN)
    counts = np.zeros((4, width))
    for hit, before, is_reverse in zip(hits, (left, right), (False, True), strict=True):
        sequence, start = np.nonzero(hit & own[:, None])
        sites = padded[sequence[:, None], start[:, None] + width - before + np.arange(width)]
        if is_reverse:
            sites = reverse_complement_codes(sites)
        counts += np.stack([(sites == letter).sum(0) for letter in range(4)])
    composition = np.stack([(codes[own] == letter).sum() for letter in range(4)]).astype(float)
    composition = (composition + composition[::-1]) / max(2 * composition.sum(), 1)
    ppm = (counts + 2 * composition[:, None] + 1e-9) / (counts.sum(0) + 2)
    odds = np.log(ppm / (composition[:, None] + 1e-9))
    return np.asarray(odds - odds.mean(0), dtype=np.float64)


def _one_letter_off(word: int) -> NDArray[np.int64]:
    """A word and those of one other letter."""
    others = [word + ((word // 4**j + s) % 4 - word // 4**j % 4) * 4**j for j in range(K) for s in (1, 2, 3)]
    return np.array([word, *others])


def _reverse(words: NDArray[np.int64]) -> NDArray[np.int64]:
    """Reverse complements of words."""
    return sum(((3 - words // 4**j % 4) * 4 ** (K - 1 - j) for j in range(K)), np.zeros_like(words))


def _are_kin(one: str, other: str) -> bool:
    """Whether two words differ by one letter at most, on either strand."""
    turned = other[::-1].translate(str.maketrans("ACGT", "TGCA"))
    return any(sum(a != b for a, b in zip(one, word, strict=True)) <= 1 for word in (other, turned))


def _spell(word: int) -> str:
    return "".join("ACGT"[word // 4**j % 4] for j in reversed(range(K)))


@dataclass(frozen=True)
class _Weighing:
    """How well a logistic regression on the words' activations fits the labels of n sequences."""

    log_likelihood: float
    n: int


@dataclass(frozen=True, eq=False)
class WordStart:
    """Where a model takes filters that start from words.

    Attributes
    ----------
    first : FirstLayer
    words : list of Word
    read_out : ReadOut or None
        Behind the last pooling; None in models of several outputs, and where there is none or more than one.
    composition : list of Word
        Filters of composition, which words that stand alone have beside them.
    """

    first: FirstLayer
    words: list[Word]
    read_out: ReadOut | None
    composition: list[Word] = field(default_factory=list)

    @property
    def can_stand_alone(self) -> bool:
        """Whether the read-out weighs the layer's own filters, so that the others can be silent."""
        if self.read_out is None or not self.first.is_only_one:
            return False
        return self.read_out.parameter.requires_grad and self.read_out.by_channel_parameter.requires_grad

    @property
    def _copies(self) -> int:
        """Filters that a word takes: two in a model that does not share weights between the strands."""
        return 1 if self.first.is_rc else 2

    def apply(self, train: Dataset) -> list[Word]:
        """Start half of the filters at most from words, in place, after the weights were drawn; returns those words.

        Notes
        -----
        A filter takes the word's log-odds at the size that it had. In a model that does not share weights between the
        strands a second filter takes their reverse complement. The read-out's weights become positive for a word of the
        positives and negative for one of the negatives; behind further layers, where no channel is a word's own, every
        other weight becomes negative if there is a word of the negatives. The batch norm behind the layer cuts at the
        median, over the sequences of the other class, of the best site.
        """
        words = self.words[: len(self.first.weight) // 2 // self._copies]
        self._take(words)
        if self.read_out is None or not self.read_out.parameter.requires_grad:
            return words
        with torch.no_grad():
            if self.first.is_only_one:
                for channels, word in zip(self._channels(words), words, strict=True):
                    channels *= 1 if word.score > 0 else -1
                self._cut(words, train)
            elif any(word.score < 0 for word in words):
                self.read_out.by_channel()[:, ::2] *= -1
        return words

    @contextmanager
    def alone(
        self, model: nn.Module, train: Dataset, positive_weight: float, *, shifts_frozen: bool = False
    ) -> Iterator[list[Word]]:
        """Start filters from words and composition; the others are silent, and stay so as long as the context lasts.

        Parameters
        ----------
        model : nn.Module
            Whose weights were drawn; trained within the context.
        train : Dataset
        positive_weight : float
            Weight of the positives in the loss.
        shifts_frozen : bool
            Whether the bias of the last layer is set even where it is frozen.

        Yields
        ------
        list of Word
            Those that were taken.

        Notes
        -----
        Filters start as in `apply`, and the others have weights of 0 in the read-out. A logistic regression of the
        labels on what each word's filters give, summed over positions at the read-out's level start, then sets the
        weights of the words, and the bias of the last layer. Filters of composition take part
        if they raise its log-likelihood by more than ln n for n sequences, which is what the Bayesian information
        criterion asks of two weights: a filter that starts as its own reverse complement remains so, and is to be there
        for a reason.
        """
        assert self.read_out is not None, "asked of models that can_stand_alone"
        drawn = {name: value.detach().clone() for name, value in model.state_dict().items()}
        words, fit = self._stand(model, self.words, train, positive_weight, shifts_frozen)
        if self.composition:
            without = {name: value.detach().clone() for name, value in model.state_dict().items()}
            model.load_state_dict(drawn)
            both, better = self._stand(model, [*self.composition, *self.words], train, positive_weight, shifts_frozen)
            if better.log_likelihood > fit.log_likelihood + np.log(better.n):
                words = both
            else:
                model.load_state_dict(without)
        n_channels = self._copies * len(words)
        weights = self.read_out.by_channel_parameter
        mask = torch.ones_like(self.read_out.by_channel())
        mask[:, n_channels:] = 0
        hook = weights.register_hook(  # type: ignore[no-untyped-call]  # so it is in torch
            lambda gradient: gradient * mask.view_as(gradient)
        )
        try:
            yield words
        finally:
            hook.remove()

    def _stand(
        self, model: nn.Module, words: Sequence[Word], train: Dataset, positive_weight: float, shifts_frozen: bool
    ) -> tuple[list[Word], _Weighing]:
        """Start from as many of these words as there is room for, alone."""
        assert self.read_out is not None, "asked of models that can_stand_alone"
        words = list(words[: len(self.first.weight) // self._copies])
        self._take(words)
        with torch.no_grad():
            self.read_out.by_channel()[:, self._copies * len(words) :] = 0
            self._cut(words, train)
        measure_batch_norm(model, train)
        return words, self._weigh(model, words, train, positive_weight, shifts_frozen)

    def _take(self, words: Sequence[Word]) -> None:
        weight, copies = self.first.weight, self._copies
        with torch.no_grad():
            for i, word in enumerate(words):
                start = torch.from_numpy(word.log_odds).to(weight)
                for j, one in enumerate((start, reverse_complement(start))[:copies]):
                    row = weight[copies * i + j]
                    row.copy_(one / one.norm().clamp(min=1e-9) * row.norm())

    def _channels(self, words: Sequence[Word]) -> list[Tensor]:
        """The read-out's weights of each word's filters, a view each."""
        assert self.read_out is not None, "asked of models with a read-out"
        by_channel = self.read_out.by_channel()
        return [by_channel[:, self._copies * i : self._copies * (i + 1)] for i in range(len(words))]

    def _cut(self, words: Sequence[Word], train: Dataset) -> None:
        """Let batch norm's cut of each word's filters lie at the median best site of the other class."""
        norm, n = self.first.norm, self._copies * len(words)
        if not n or norm is None or norm.bias is None or not norm.bias.requires_grad:
            return
        bank = self.first.weight[:n]
        rows = _some_rows(train, 5 * _PASS, _MOST_LETTERS)
        x, y = train.x[rows].to(bank), train.y[rows]
        maps = nn.functional.conv1d(x, bank)
        best = maps.amax(2)
        if self.first.is_rc:
            best = torch.maximum(best, nn.functional.conv1d(x, reverse_complement(bank)).amax(2))
        centre, spread = maps.mean((0, 2)), maps.std((0, 2))
        for i in range(n):
            word = words[i // self._copies]
            other = y[:, word.task] != float(word.score > 0)
            if word in self.composition:
                norm.bias[i] = _OPEN
            elif other.any():
                norm.bias[i] = -(best[other.to(best.device), i].median() - centre[i]) / spread[i]

    def _weigh(
        self, model: nn.Module, words: Sequence[Word], train: Dataset, positive_weight: float, shifts_frozen: bool
    ) -> _Weighing:
        """Weigh the words' channels as a logistic regression does; their signs alone if the read-out is not linear."""
        rows = _some_rows(train, 5 * _PASS, _MOST_WEIGHED)
        x, y = train.x[rows], train.y[rows, 0].numpy()
        channels, bias = self._channels(words), _last_bias(model)
        drawn = [values.detach().clone().abs() for values in channels]
        signs = [1.0 if word.score > 0 else -1.0 for word in words]

        def logits(weights: Sequence[float]) -> NDArray[np.float64]:
            with torch.no_grad():
                for values, level, weight in zip(channels, drawn, weights, strict=True):
                    values.copy_(level * weight)
            return predict(model, x, device=place_of(model)[0]).double().cpu().numpy().ravel()

        silent = logits([0.0] * len(words))
        alone = [logits(list(one)) - silent for one in np.eye(len(words))]
        twice = logits([2 * sign for sign in signs]) - silent
        logits(signs)
        expected = 2 * np.dot(signs, alone)
        is_linear = np.allclose(twice, expected, rtol=1e-3, atol=1e-4 * max(1.0, np.abs(expected).max(initial=0)))
        if not is_linear or np.ptp(y) == 0 or not words:
            return _Weighing(-np.inf, len(y))
        features = np.stack(alone, axis=1)
        spread = np.where(features.std(0) > 0, features.std(0), 1.0)
        weighing = LogisticRegression(class_weight={0: 1.0, 1: positive_weight}, max_iter=1000)
        weighing.fit(features / spread, y)
        weighed = logits((weighing.coef_[0] / spread).tolist())
        if bias is not None and (bias.requires_grad or shifts_frozen):
            shift = float(weighing.intercept_[0] - silent.mean())
            with torch.no_grad():
                bias += shift
                moved = predict(model, x[:1], device=place_of(model)[0]).double().cpu().numpy().ravel() - weighed[:1]
                if not np.allclose(moved, shift, rtol=1e-3, atol=1e-4):  # another output's, or not added at the end
                    bias -= shift
        log_odds = weighing.decision_function(features / spread)
        costs = np.where(y == 1, positive_weight * np.logaddexp(0, -log_odds), np.logaddexp(0, log_odds))
        return _Weighing(-float(costs.sum()), len(y))


def _some_rows(data: Dataset, most: int, most_letters: int) -> Tensor:
    """Rows of a data set, drawn with a seed of their own: so many at most, of so many letters at most."""
    n_rows = min(most, max(1, most_letters // data.length))
    return torch.randperm(len(data), generator=torch.Generator().manual_seed(0))[:n_rows]


def _last_bias(model: nn.Module) -> Tensor | None:
    """Bias of the last layer that has one value of it, which is that of a single output; None if there is none."""
    biases = [parameter for name, parameter in model.named_parameters() if name.rpartition(".")[2] == "bias"]
    return biases[-1] if biases and biases[-1].numel() == 1 else None


def prepare_words(model: nn.Module, train: Dataset) -> WordStart | None:
    """What of a model may start from words or composition; None if it has no layer for it, or the set neither."""
    return prepare_words_of_all([model], train)[0]


def prepare_words_of_all(models: Sequence[nn.Module], train: Dataset) -> list[WordStart | None]:
    """`prepare_words` of models of one architecture, for which the words are looked for once."""
    places = [_find_place(model, train) for model in models]
    place = places[0]
    if place is None:
        return [None] * len(models)
    width = place.first.weight.shape[2]
    words = find_words(train, width)
    composition = find_composition(train, width) if place.can_stand_alone else []
    if not words and not composition:
        return [None] * len(models)
    return [own and replace(own, words=words, composition=composition) for own in places]


def _find_place(model: nn.Module, train: Dataset) -> WordStart | None:
    """Where a model could take words, none of which are known yet; None if it has no layer for it."""
    first = find_first_layer(model, train.length)
    if first is None or first.weight.shape[2] < K or len(first.weight) < 4:
        return None
    read_outs = find_read_outs(model, train.length)
    read_out = read_outs[0] if train.n_tasks == 1 and len(read_outs) == 1 else None
    if read_out is not None and first.is_only_one and read_out.n_channels != len(first.weight):
        read_out = None
    return WordStart(first, [], read_out)


def measure_batch_norm(model: nn.Module, train: Dataset) -> None:
    """Set the running statistics of all batch norms to those of a part of the training set."""
    norms = {module: module.momentum for module in model.modules() if isinstance(module, _BatchNorm)}
    device, dtype = place_of(model)
    rows = _some_rows(train, _PASS, _MOST_LETTERS)
    was_training = model.training
    model.train()
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # the mean over batches
    try:
        with torch.no_grad():
            for batch in torch.split(rows, _BATCH):
                if len(batch) > 1:
                    model(train.x[batch].to(device, dtype))
    finally:
        model.train(was_training)
        for norm, momentum in norms.items():
            norm.momentum = momentum
