"""How processors are made up, as lscpu and ppc64_cpu have it: models, cores, threads, and threads that are switched off."""
# needs: programs guest guest-utils
import os
import re

import libraries
from console import GUEST, INITRD, KERNEL, Folder, check, linux, main, need

CPUS = os.environ.get('CPUS', '8')
TREE = GUEST + '/utils'
MODELS = {'power8': 'POWER8', 'power9': 'POWER9', 'power10': 'POWER10'}


def view():
    """lscpu calls the hypervisor KVM, as the tree's root does: without that word, Linux leaves out what it does for guests."""
    need(KERNEL, INITRD, TREE)
    with Folder() as folder:
        initrd = libraries.packed(folder, TREE, {'bin/lscpu': TREE + '/usr/bin/lscpu', 'bin/ppc64_cpu': TREE + '/usr/sbin/ppc64_cpu'})
        for model, name in MODELS.items():
            with linux('-cpu', model, initrd=initrd, append='quiet', cpus=CPUS + ',threads=4') as m:
                m.shell()
                said = dict(re.findall(r'^ *([^:]+): +(.*)', m.command('lscpu'), re.M))
                want = {'CPU(s)': '8', 'On-line CPU(s) list': '0-7', 'Thread(s) per core': '4', 'Byte Order': 'Little Endian',
                        'Model name': name + ' (architected), altivec supported', 'Hypervisor vendor': 'KVM', 'Virtualization type': 'para'}
                check({key: said.get(key) for key in want} == want, model + '-lscpu', said)
                check(int(said.get('Core(s) per socket', 0)) * int(said.get('Socket(s)', 0)) == 2, model + '-cores', said)
                smt = m.command('ppc64_cpu --smt; ppc64_cpu --cores-present; ppc64_cpu --threads-per-core')
                check('SMT=4' in smt and re.search(r'cores present = 2', smt) and re.search(r'per core: 4', smt), model + '-smt', smt)
                m.command('ppc64_cpu --smt=2')
                check(m.command('cat /sys/devices/system/cpu/online').strip() == '0-1,4-5', model + '-two-of-each')
                check('SMT=2' in m.command('ppc64_cpu --smt'), model + '-says-so')
                m.command('ppc64_cpu --smt=on')
                check(m.command('cat /sys/devices/system/cpu/online').strip() == '0-7', model + '-all-again')
                m.send('poweroff -f\n')
                check(m.wait(60) == 0 and not m.errors, model + '-ends', m.errors)


if __name__ == '__main__':
    main({'view': view})
