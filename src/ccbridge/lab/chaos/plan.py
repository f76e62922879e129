"""What is to happen: faults and callers, drawn from a seed. The same seed draws the same plan."""

import random
from dataclasses import dataclass

DAEMON_KILLED = "daemon killed"
DAEMON_FROZEN = "daemon frozen"
PBX_KILLED = "PBX killed"
DATABASE_STOPPED = "PostgreSQL stopped"
DATABASE_FROZEN = "PostgreSQL frozen"
LINK_CUT = "AMI cut"
LINK_FROZEN = "AMI frozen"
JOURNAL_FULL = "journal full"

#: how often each is in the deck that is dealt from, shuffled anew when it is empty
DECK = {
    DAEMON_KILLED: 6,
    DAEMON_FROZEN: 5,
    PBX_KILLED: 2,
    DATABASE_STOPPED: 2,
    DATABASE_FROZEN: 2,
    LINK_CUT: 3,
    LINK_FROZEN: 3,
    JOURNAL_FULL: 2,
}
KINDS = tuple(DECK)
#: seconds it lasts: shortest, mean of what comes on top (exponential), longest
LASTS = {
    DAEMON_KILLED: (0.0, 0.0, 0.0),
    DAEMON_FROZEN: (0.1, 3.0, 20.0),
    PBX_KILLED: (0.0, 1.0, 5.0),
    DATABASE_STOPPED: (1.0, 6.0, 30.0),
    DATABASE_FROZEN: (1.0, 6.0, 30.0),
    LINK_CUT: (0.0, 1.0, 10.0),
    LINK_FROZEN: (0.1, 3.0, 20.0),
    JOURNAL_FULL: (0.5, 3.0, 15.0),
}
#: seconds from the start of one fault to the next one
PAUSE = (1.5, 6.0)


@dataclass(frozen=True)
class Fault:
    """`after`: seconds since the start of the one before. `seconds`: how long it lasts."""

    number: int
    after: float
    kind: str
    seconds: float

    def __str__(self) -> str:
        lasts = f", {self.seconds:.1f} s" if self.seconds else ""
        return f"{self.number:3d}  {self.after:4.1f} s later: {self.kind}{lasts}"


def faults(seed: int, count: int) -> list[Fault]:
    """`count` faults; every kind is among the first ones. A longer plan begins like a shorter one."""
    dealer, chance = random.Random(f"{seed} cards"), random.Random(f"{seed} faults")
    cards: list[str] = dealer.sample(KINDS, len(KINDS))
    while len(cards) < count:
        deck = [kind for kind, times in DECK.items() for _ in range(times)]
        dealer.shuffle(deck)
        cards += deck
    drawn = []
    for number, kind in enumerate(cards[:count], 1):
        least, mean, most = LASTS[kind]
        more = chance.expovariate(1 / mean) if mean else 0.0
        drawn.append(Fault(number, chance.uniform(*PAUSE), kind, min(most, least + more)))
    return drawn


@dataclass(frozen=True)
class Journey:
    """One caller: what he dials, keys (seconds after the one before) and when he has enough (seconds)."""

    number: str
    did: str
    keys: tuple[tuple[float, str], ...]
    stays: float


MENU = "2101234567"
SALES = "2100000001"
SUPPORT = "2100000002"


def journey(seed: int, number: int) -> Journey:
    """The caller of that number, counted from 1."""
    chance = random.Random(f"{seed} caller {number}")
    did = chance.choices((MENU, SALES, SUPPORT), (5, 2, 2))[0]
    keys: list[tuple[float, str]] = []
    if did == MENU:
        right = chance.choices("120", (6, 4, 1))[0]
        if chance.random() < 0.15:
            keys.append((chance.uniform(0.1, 1.0), "9"))
        if chance.random() < 0.9:
            # whoever hears the menu again keys again: it was asked by a daemon that has died since
            keys += [(chance.uniform(0.1, 1.5), right), *((3.0, right) for _ in range(4))]
    # some give up at the first word, at the first music, while a phone rings, in the middle of a talk
    stays = chance.choice((chance.uniform(0.05, 4.0), chance.uniform(3.0, 15.0), chance.uniform(15.0, 45.0)))
    return Journey(f"+3069{number:08d}", did, tuple(keys), round(stays, 2))


@dataclass(frozen=True)
class Mood:
    """How a phone does from its next call on, as `Phone.will` takes it; `lasts` seconds."""

    do: str
    after: float
    talk: float
    outcome: str
    lasts: float


def moods(seed: int, phone: str) -> "Moods":
    """The moods of one phone, one after the other, without end."""
    return Moods(random.Random(f"{seed} phone {phone}"))


class Moods:
    """See `moods`."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance

    def __next__(self) -> Mood:
        chance = self._chance
        return Mood(
            do=chance.choices(("answer", "ring", "refuse", "busy", "unavailable"), (16, 1, 1, 1, 1))[0],
            after=round(chance.uniform(0.0, 2.0), 2),
            talk=round(chance.uniform(0.3, 12.0), 2),
            outcome=chance.choice(("1", "2", "3", "4", "")),
            lasts=chance.uniform(2.0, 8.0),
        )
