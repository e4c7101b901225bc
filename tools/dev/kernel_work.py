"""What programs ask of the kernel, for counting (tools/dev/fuse_pick.py): threads that wake each other,
address spaces that change, signals, files, pipes, children. Run by a Python in the guest."""

import os
import signal
import sys
import threading

ROUNDS = int(sys.argv[1]) if len(sys.argv) > 1 else 300


def threads():
    turn = threading.Condition()
    state = [0]

    def play(mine):
        for _ in range(ROUNDS * 4):
            with turn:
                while state[0] != mine:
                    turn.wait()
                state[0] = 1 - mine
                turn.notify()
            os.sched_yield()

    both = [threading.Thread(target=play, args=(n,)) for n in (0, 1)]
    for each in both:
        each.start()
    for each in both:
        each.join()


def areas():
    for _ in range(ROUNDS // 8 + 1):
        some = [bytearray(196608) for _ in range(32)]      # large enough for areas of their own
        while some:
            some.pop(len(some) * 5 // 7)


def signals():
    seen = []
    signal.signal(signal.SIGUSR1, lambda number, frame: seen.append(number))
    for _ in range(ROUNDS * 8):
        os.kill(os.getpid(), signal.SIGUSR1)


def files():
    for n in range(ROUNDS // 8 + 1):
        name = f"/bench/kernel_work.{n}"
        fd = os.open(name, os.O_RDWR | os.O_CREAT, 0o600)
        for at in range(64):
            os.write(fd, bytes(512))
            os.pread(fd, 512, at * 256)
        os.fstat(fd)
        os.ftruncate(fd, 512)
        os.stat(name)
        os.close(fd)
        os.unlink(name)
        os.listdir("/bench")


def children():
    for _ in range(ROUNDS // 16 + 1):
        ours, theirs = os.pipe()
        child = os.fork()
        if not child:
            for _ in range(32):
                os.write(theirs, b"x")
            os._exit(0)
        os.close(theirs)
        while os.read(ours, 1):
            pass
        os.close(ours)
        os.waitpid(child, 0)


for work in (threads, areas, signals, files, children):
    work()
