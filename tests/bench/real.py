"""Work for the scoreboard's row "python": classes, dictionaries, strings, generators, sorting and
big integers. Prints sums. The argument says how much of it there is."""

import sys


class Account:
    """One of many small objects."""

    __slots__ = ("name", "balance", "history")

    def __init__(self, name):
        self.name, self.balance, self.history = name, 0, []

    def move(self, amount):
        if self.balance + amount < 0:
            raise ValueError(self.name)
        self.balance += amount
        self.history.append(amount)


def numbers(state):
    """The linear congruential generator of Knuth's MMIX, its upper half."""
    while True:
        state = (state * 6364136223846793005 + 1442695040888963407) % (1 << 64)
        yield state >> 32


def bank(random, moves):
    accounts = {name: Account(name) for name in (f"account {n:03}" for n in range(500))}
    names, refused = list(accounts), 0
    for _ in range(moves):
        try:
            accounts[names[next(random) % len(names)]].move(next(random) % 201 - 100)
        except ValueError:
            refused += 1
    richest = sorted(accounts.values(), key=lambda a: (-a.balance, a.name))
    return refused + sum(place * a.balance for place, a in enumerate(richest))


def words(random, count):
    syllables = "ka re mi to su ne lo vi".split()
    text = " ".join("".join(syllables[next(random) % 8] for _ in range(1 + next(random) % 4))
                    for _ in range(count))
    seen = {}
    for word in text.split():
        seen[word] = seen.get(word, 0) + 1
    common = sorted(seen.items(), key=lambda item: (-item[1], item[0]))
    return sum(place * number * len(word) for place, (word, number) in enumerate(common))


def queens(size, row=0, columns=0, left=0, right=0):
    if row == size:
        return 1
    free, found = ~(columns | left | right) & ((1 << size) - 1), 0
    while free:
        bit = free & -free
        free ^= bit
        found += queens(size, row + 1, columns | bit, (left | bit) << 1, (right | bit) >> 1)
    return found


def main(scale):
    random = numbers(2026)
    print(bank(random, 20000 * scale), words(random, 8000 * scale), queens(7),
          pow(3, 400 * scale) % 1000003)


main(int(sys.argv[1]))
