"""What the simulated CA does wrong on purpose, by the verb that is asked."""

from dataclasses import dataclass, field
from enum import StrEnum
from threading import Lock


class Fault(StrEnum):
    """The first two cut the connection; the last three are for the verbs that are named with them."""

    LOST = "LOST"  # does it, and cuts before the answer
    CUT = "CUT"  # cuts, and does nothing
    ERROR = "ERROR"  # 500
    LIMITED = "LIMITED"  # 429; `seconds` in Retry-After
    SLOW = "SLOW"  # answers after `seconds`
    NONSENSE = "NONSENSE"  # does it, and answers what is no JSON
    EARLY = "EARLY"  # cancel: the certificate was issued a moment before
    WRONG_KEY = "WRONG_KEY"  # issue: a certificate for another key
    REFUSE = "REFUSE"  # order, reissue: takes it and rejects it, with `words`


@dataclass
class Rule:
    """`verb`: a route's name, e.g. `order`, or `*`. `times`: how often it still happens; 0 = always."""

    verb: str
    fault: Fault
    times: int = 1
    seconds: float = 1.0
    words: str = ""


@dataclass
class Faults:
    """The rules in their order; the first that fits happens."""

    rules: list[Rule] = field(default_factory=list)
    _lock: Lock = field(default_factory=Lock, repr=False)

    def add(
        self, verb: str, fault: str | Fault, times: int = 1, seconds: float = 1.0, words: str = ""
    ) -> None:
        with self._lock:
            self.rules.append(Rule(str(verb), Fault(fault), int(times), float(seconds), str(words)))

    def clear(self) -> None:
        with self._lock:
            self.rules.clear()

    def take(self, verb: str, *fitting: Fault) -> Rule | None:
        """The first rule for the verb among these faults, counted as happened."""
        with self._lock:
            for rule in self.rules:
                if rule.verb in (verb, "*") and rule.fault in fitting:
                    if rule.times:
                        rule.times -= 1
                        if not rule.times:
                            self.rules.remove(rule)
                    return rule
        return None
