"""A question as what an answer has to speak of: its words, or words that mean the same."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from mien.retrieval.common_words import STOP_WEIGHT, folded, without_pleasantry
from mien.retrieval.thesaurus import Found, thesaurus
from mien.retrieval.tokens import question_terms, weight_of

_LONGEST = 500  # characters; each thing asked about is looked for by itself
# Of another word for the same: it may mean something else here.
_SYNONYM = 0.9
# Of a phrase of question words alone ("where are"): it says what kind of answer is wanted.
_PHRASE = 0.35
# The same in the other language: in a text of this one it is a name or a command, mostly.
_TRANSLATION = 0.5

Terms = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Need:
    """One thing that is asked about. weight: how much it says about the subject, 0…1. ways: terms
    that together speak of it, and how well, the question's own first.
    """

    weight: float
    ways: Mapping[Terms, float]


def needs_of(question: str) -> list[Need]:
    """What a question asks about; of a very long one, what its beginning does."""
    question = question[:_LONGEST]
    text = folded(without_pleasantry(question) or question)
    rest, found = thesaurus().take(text)
    needs = [_need(phrase) for phrase in found]
    needs += [Need(weight, {(term,): 1.0}) for term, weight in question_terms(rest).items()]
    return needs


def is_only_words(needs: Collection[Need]) -> bool:
    """Whether it is of question words alone, as "who are you": it may be about anything."""
    return all(need.weight <= STOP_WEIGHT for need in needs)


def _need(found: Found) -> Need:
    weight = max(_PHRASE, *map(weight_of, found.terms))
    ways = dict.fromkeys(found.others, _SYNONYM)
    ways |= dict.fromkeys(found.translations, _TRANSLATION)
    return Need(weight, {found.terms: 1.0} | ways)
