"""Packer, which builds images of systems with QEMU, has cede for that: the command line that it makes, its QMP, what it types over VNC,
ssh through the port that it forwards, the end of the machine, and the image that it makes of the disk."""
# needs: programs guest
import json
import os
import re
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
from console import CEDE, GUEST, INITRD, KERNEL, Folder, Machine, check, main, need, skip       # noqa: E402
from net import need_libslirp       # noqa: E402

# What the guest hears until somebody types "done" goes to the disk. Who types still lets a key go when the machine ends, and would call that an error.
HEARS = "until [ -e /dev/tty1 -a -e /dev/vda ]; do sleep 1; done; openvt -c 6 -s -w sh -c 'while read line; do echo $line; case $line in done) break;; esac; done >/dev/vda'; sync; sleep 5"


def packer(at, *provisioners, **more):
    """Status, and all that it says, of a build with a template like those that are written for QEMU."""
    builder = dict({
        'type': 'qemu', 'qemu_binary': os.path.abspath(CEDE), 'machine_type': 'pseries', 'accelerator': 'tcg', 'headless': True, 'memory': 512,
        'iso_url': at('base.qcow2'), 'iso_checksum': 'none', 'disk_image': True, 'format': 'qcow2', 'disk_interface': 'virtio',
        'net_device': 'virtio-net', 'output_directory': at('out'), 'vm_name': 'built', 'communicator': 'none', 'shutdown_timeout': '10m',
        'boot_wait': '5s', 'vnc_bind_address': '127.0.0.1', 'qmp_enable': True}, **more)
    with open(at('template.json'), 'w') as f:
        json.dump({'builders': [builder], 'provisioners': list(provisioners)}, f)
    done = subprocess.run(['packer', 'build', '-color=false', at('template.json')], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          env=dict(os.environ, PACKER_LOG='1', CHECKPOINT_DISABLE='1', PACKER_CACHE_DIR=at('cache'), HOME=at.path))
    return done.returncode, done.stdout


def need_programs(*names):
    for program in names:
        if not shutil.which(program):
            skip('%s is missing' % program)
    need_libslirp()


def typed():
    """What is typed over VNC reaches the guest, which writes it to the disk."""
    need_programs('packer', 'qemu-img')
    need(KERNEL, INITRD)
    with Folder() as at:
        subprocess.run(['qemu-img', 'create', '-q', '-f', 'qcow2', at('base.qcow2'), '64M'], check=True)
        # Keys are lost until there is a keyboard: on a busy host that may take long.
        status, text = packer(at, boot_command=['again<enter><wait3>'] * 8 + ['Built by Packer!<enter>done<enter>'], qemuargs=[
            ['-kernel', os.path.abspath(KERNEL)], ['-initrd', os.path.abspath(INITRD)], ['-append', 'console=hvc0 quiet cede.cmd="%s"' % HEARS],
            ['-vga', 'std'], ['-device', 'virtio-keyboard-pci']])
        if not check(status == 0, 'status', text[-3000:]):
            return
        check('Qemu version: 7.2.0' in text, 'version', text)
        subprocess.run(['qemu-img', 'convert', '-O', 'raw', at('out/built'), at('raw')], check=True)
        with open(at('raw'), 'rb') as f:
            lines = f.read(4096).rstrip(b'\0').decode().split('\n')
        check(lines[-3:] == ['Built by Packer!', 'done', ''], 'typed', lines)


def logged_in(path, command):
    """The system on that disk boots, and says what the command says."""
    with Machine('-drive', 'file=%s,format=qcow2,if=virtio' % path, ram='1G') as m:
        m.log_in()
        text = m.command(command, 300)
        m.send('systemctl poweroff\n')
        check(m.wait(300) == 0, 'off', m.errors)
    return text


def installed():
    """Debian's installer, from a CD onto an empty disk: nobody is asked, and the machine ends."""
    need_programs('packer', 'qemu-img')
    done = subprocess.run(['tools/guest/installer.sh', 'cd'], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode:
        skip(done.stdout)
    with Folder() as at:
        status, text = packer(at, iso_url=os.path.abspath(GUEST + '/installer.iso'), disk_image=False, disk_size='6G', memory=1024,
                              shutdown_timeout='2h', qemuargs=[['-vga', 'std'], ['-device', 'virtio-rng-pci']])
        if not check(status == 0, 'status', text[-3000:]):
            return
        text = logged_in(at('out/built'), 'cat /etc/debian_version; uname -m')
        check(re.search('^1[23].*\n', text) and 'ppc64le' in text, 'debian', text)


def provisioned():
    """A Debian that is there (make debian): a key for ssh is typed on its screen, and the rest is done by ssh."""
    need_programs('packer', 'qemu-img', 'ssh-keygen')
    if not os.path.exists(GUEST + '/debian.qcow2'):
        skip('build/guest/debian.qcow2 is missing (make debian)')
    with Folder() as at:
        subprocess.run(['ssh-keygen', '-q', '-t', 'rsa', '-N', '', '-m', 'PEM', '-f', at('key')], check=True)
        with open(at('key.pub')) as f:
            key = f.read().split()[1]
        status, text = packer(
            at, {'type': 'shell', 'inline': ['uname -m >/etc/built', 'echo by Packer >>/etc/built']},
            iso_url=os.path.abspath(GUEST + '/debian.qcow2'), memory=1024, communicator='ssh', ssh_username='root', ssh_private_key_file=at('key'),
            ssh_timeout='40m', ssh_handshake_attempts=100, shutdown_command='systemctl poweroff', boot_wait='120s', boot_key_interval='20ms',
            boot_command=['root<enter><wait15>cede<enter><wait20>', "mkdir -p .ssh; echo 'ssh-rsa %s' >.ssh/authorized_keys<enter>" % key],
            qemuargs=[['-vga', 'std'], ['-device', 'virtio-keyboard-pci']])
        if not check(status == 0, 'status', text[-3000:]):
            return
        text = logged_in(at('out/built'), 'cat /etc/built').split()
        check(text == ['ppc64le', 'by', 'Packer'], 'provisioned', text)


main({'typed': typed, 'installed': installed, 'provisioned': provisioned})
