"""Programs of a tree of Debian's packages, and the libraries that they need, into an initrd. Not a test itself."""
import os
import re
import subprocess
import sys

from console import INITRD, Failure

LIBRARIES = 'lib/powerpc64le-linux-gnu'


def needed(path):
    out = subprocess.run(['readelf', '-d', path], stdout=subprocess.PIPE, text=True, check=True).stdout
    return re.findall(r'\(NEEDED\).*\[(.*)\]', out)


def find(tree, name):
    for folder in LIBRARIES, 'usr/' + LIBRARIES:
        if os.path.exists(os.path.join(tree, folder, name)):
            return os.path.realpath(os.path.join(tree, folder, name))
    raise Failure('no %s in %s' % (name, tree))


def packed(folder, tree, programs, **more):
    """An initrd with these programs (path there to file), their libraries, and `more`, which are linked statically."""
    files = {**programs, 'lib64/ld64.so.2': find(tree, 'ld64.so.2'), **{'bin/' + name: path for name, path in more.items()}}
    libraries, todo = {}, [name for path in programs.values() for name in needed(path)]
    while todo:
        name = todo.pop()
        if name not in libraries:
            libraries[name] = find(tree, name)
            todo += needed(libraries[name])
    files.update({LIBRARIES + '/' + name: path for name, path in libraries.items()})
    out = folder('initrd.gz')
    subprocess.run([sys.executable, 'tools/guest/guest_pack.py', 'add', INITRD, out] +
                   ['%s=%s' % pair for pair in sorted(files.items())], check=True)
    return out
