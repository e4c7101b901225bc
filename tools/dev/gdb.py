"""Commands for gdb in which blocks and ops read: gdb -x tools/dev/gdb.py --args build/debug/cede ...

cede-block [EXPR]   a block: its instructions, and the ops that they became; without EXPR the one that runs
cede-op             the op that is next: in run_ops(), before it is called
cede-regs           general registers and what else is the running processor's
"""
import gdb                              # pylint: disable=import-error


def symbol_of(fn):
    """The name of a handler; where there is none, an address."""
    text = fn.format_string(format='a', symbols=True)
    return text.partition('<')[2].partition('>')[0] or text


def show_op(block, i, mark=' '):
    op, info = block['ops'][i], block['info'][i]
    gra = int(block['gra']) + 4 * int(info['word'])
    print('%s%3d  %#x  %4d  %-24s a=%d b=%d c=%d d=%d imm=%#x' % (mark, i, gra, info['cycles'], symbol_of(op['fn']), op['a'], op['b'],
                                                                 op['c'], op['d'], int(op['imm']) & 0xffffffff))


def show_edges(op):
    edge = op.cast(gdb.lookup_type('struct edge').pointer())
    print('      leads to: taken %s, else %s' % (edge['taken'], edge['fall']))


def running():
    """(block, index) of the variable op; its block begins at the marker before it."""
    op, i = gdb.parse_and_eval('op'), 0
    if not op:
        raise gdb.GdbError('between blocks: no op is next')
    while symbol_of((op - i)['fn']) != 'op_marker':
        i += 1
    size = gdb.lookup_type('struct block').sizeof
    at = int(op - i) - size
    return gdb.Value(at).cast(gdb.lookup_type('struct block').pointer()), i


class Block(gdb.Command):
    """cede-block [EXPR]: shows a block, a struct block *. An arrow marks the op that is next."""
    def __init__(self):
        super().__init__('cede-block', gdb.COMMAND_DATA, gdb.COMPLETE_EXPRESSION)

    def invoke(self, argument, from_tty):
        block, now = (gdb.parse_and_eval(argument), None) if argument else running()
        print('block %s: real address %#x, mode %#x, %d instructions, %d ops, %d cycles%s' % (
            block, block['gra'], block['mode'], block['ninsns'], block['nops'], block['ops'][0]['imm'], ', dead' if block['dead'] else ''))
        for i in range(int(block['nwords'])):
            print('      %#x  %08x' % (int(block['gra']) + 4 * i, block['words'][i]))
        print('  op  of instr.  cycles  handler and operands')
        edges = {int(block['edge_at'][i]) for i in range(int(block['nedges']))}
        for i in range(1, int(block['nops'])):
            if i in edges:
                show_edges(block['ops'][i].address)
            else:
                show_op(block, i, '>' if i == now else ' ')


class Op(gdb.Command):
    """cede-op: shows the op that is next."""
    def __init__(self):
        super().__init__('cede-op', gdb.COMMAND_DATA)

    def invoke(self, argument, from_tty):
        show_op(*running())


class Regs(gdb.Command):
    """cede-regs: shows the registers of the processor that the variable cpu is."""
    def __init__(self):
        super().__init__('cede-regs', gdb.COMMAND_DATA)

    def invoke(self, argument, from_tty):
        cpu = gdb.parse_and_eval('cpu')
        for i in range(0, 32, 4):
            print('  '.join('r%-2d %016x' % (j, int(cpu['r'][j])) for j in range(i, i + 4)))
        print('  '.join('%s %016x' % (name, int(cpu[name])) for name in ('lr', 'ctr', 'msr')))
        print('nip %016x (exact only outside blocks)  cr %s' % (cpu['nip'], ''.join('%x' % int(cpu['cr'][i]) for i in range(8))))


for command in Block, Op, Regs:
    command()
