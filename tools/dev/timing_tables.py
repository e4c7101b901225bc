"""Writes cpu/timing/power8.def, power9.def and power10.def: what instructions cost.

usage: timing_tables.py [MODEL...]      wants llvm-mca-19 and llvm-mc-19

Each row of cpu/table/insn.def is assembled and given to llvm-mca, whose figures are the start. CORRECTIONS are figures
that are better than LLVM's, by their source. What LLVM does not know (POWER8's moves to and from special registers,
what came after a processor) is estimated from rows that are like it.
"""
import os
import re
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from timing_insns import CPUS, LEVELS, disassemble, mca, read_rows, word  # noqa: E402

LEVEL = {'power8': 'P8', 'power9': 'P9', 'power10': 'P10'}
SLOTS_PER = {'power8': 2, 'power9': 1, 'power10': 1}    # POWER8 counts half places: a branch takes less than one

# LLVM's resources, by the port that stands for them here. What is not here never binds alone.
PORTS = {
    'power8': {'P8_FX': 'FX', 'P8_LS': 'LS', 'P8_LU_LS': 'LULS', 'P8_LU_LS_FX': 'ALL', 'P8_PORT_VMX_FP': 'VF', 'P8_BR': 'BR',
               'P8_PORT_CR': 'CR', 'P8_CY': 'CY', 'P8_DFU': 'DFU', 'P8_LU': 'LU'},
    'power9': {'ALU': 'ALU', 'LS': 'LS', 'IP_EXEC': 'EXEC', 'DP': 'DP', 'PM': 'PM', 'DIV': 'DIV', 'BR': 'BR', 'CY': 'CY',
               'DFU': 'DFU'},
    'power10': {'P10_FX': 'FX', 'P10_LD': 'LD', 'P10_ST': 'ST', 'P10_SX': 'SX', 'P10_BF': 'BF', 'P10_PM': 'PM',
                'P10_CY': 'CY', 'P10_DX': 'DX', 'P10_DV': 'DV', 'P10_DF': 'DF', 'P10_BR': 'BR', 'P10_MM': 'MM'},
}
# Of several units, the one whose result it is: the first of these.
KINDS = {
    'power8': ('DFU', 'CY', 'VF', 'BR', 'LS', 'LULS', 'CR', 'FX', 'ALL'),
    'power9': ('DFU', 'CY', 'DIV', 'PM', 'DP', 'LS', 'BR', 'ALU', 'EXEC'),
    'power10': ('MM', 'DF', 'DX', 'CY', 'DV', 'PM', 'BF', 'LD', 'ST', 'BR', 'FX', 'SX'),
}
# A model's row for what it does not know, by unit of the instruction table: uops, slots, latency, pipes.
ESTIMATES = {
    'power8': {'FX': (2, 2, 2, 'FX ALL'), 'MUL': (2, 2, 5, 'FX ALL'), 'DIV': (2, 2, 37, 'FX ALL DIV*37'),
               'LS': (2, 2, 5, 'LULS ALL'), 'BR': (2, 1, 2, 'BR'), 'CRU': (2, 2, 3, 'CR'), 'FP': (2, 2, 6, 'VF'),
               'FDIV': (2, 2, 33, 'VF FDIV*33'), 'DFP': (2, 2, 13, 'DFU VF'), 'VX': (2, 2, 2, 'VF'), 'VP': (2, 2, 2, 'VF'), 'CRYPTO': (2, 2, 6, 'VF CY'),
               'SYS': (2, 2, 5, 'FX ALL')},
    'power9': {'FX': (1, 1, 2, 'ALU EXEC'), 'MUL': (1, 3, 5, 'DP EXEC'), 'DIV': (1, 2, 24, 'DIV*8 EXEC*2'),
               'LS': (1, 1, 4, 'LS'), 'BR': (1, 1, 2, 'BR'), 'CRU': (1, 3, 2, 'ALU EXEC'), 'FP': (1, 3, 6, 'DP EXEC'),
               'FDIV': (1, 3, 28, 'DP*8 EXEC'), 'DFP': (1, 1, 12, 'DFU EXEC*2'), 'VX': (2, 1, 3, 'ALU*2 EXEC*2'), 'VP': (1, 1, 3, 'PM EXEC*2'),
               'CRYPTO': (1, 1, 6, 'CY EXEC*2'), 'SYS': (1, 2, 12, 'EXEC*2')},
    'power10': {'FX': (1, 1, 2, 'FX'), 'MUL': (1, 1, 5, 'BF'), 'DIV': (1, 1, 12, 'DV*10'), 'LS': (1, 1, 4, 'LD'),
                'BR': (1, 1, 2, 'BR'), 'CRU': (1, 1, 2, 'FX'), 'FP': (1, 1, 5, 'BF'), 'FDIV': (1, 1, 27, 'BF*7'),
                'DFP': (1, 1, 12, 'DF'),
                'VX': (1, 1, 2, 'FX'), 'VP': (1, 1, 3, 'PM'), 'CRYPTO': (1, 1, 4, 'CY'), 'SYS': (2, 2, 5, 'SX')},
}


def names(text):
    return text.split()


LOGICAL_CR = names('crand cror crxor crnand crnor creqv crandc crorc mcrf')
ROTATES = names('rlwinm rlwnm rlwimi rldicl rldicr rldic rldimi rldcl rldcr slw srw sraw srawi sld srd srad sradi extswsli')
COUNTS = names('cntlzw cntlzd cnttzw cnttzd popcntb popcntw popcntd bpermd cmpb prtyw prtyd')
COMPARES = names('cmpwi cmpdi cmplwi cmpldi cmpw cmpd cmplw cmpld cmprb cmpeqb')
MULTIPLIES = names('mullw mulhw mulhwu mulld mulhd mulhdu mulli')
DIVIDES_WORD = names('divw divwu divwe divweu modsw moduw')
DIVIDES = names('divd divdu divde divdeu modsd modud')
RESERVED = names('lbarx lharx lwarx ldarx lqarx')
CONDITIONAL = names('stbcx sthcx stwcx stdcx stqcx')
SYNCS = names('sync isync eieio')
ALGEBRAIC = names('lha lhax lwa lwax lhau lhaux lwaux')


# Decimal instructions that take longer than the unit's shortest, which are all that LLVM and GCC have a figure for.
DECIMAL = {'daddq': 17, 'dsubq': 17, 'dmul': 40, 'dmulq': 90, 'ddiv': 96, 'ddivq': 172, 'drsp': 25, 'drdpq': 25, 'dctfix': 25,
           'dctfixq': 25, 'dctfixqq': 32, 'dcffix': 32, 'dcffixq': 32, 'dcffixqq': 40}


class Cost:
    def __init__(self, uops, slots, latency, use):
        self.uops, self.slots, self.latency, self.use = uops, slots, latency, dict(use)
        self.cr = self.far = self.hold = 0
        self.source = 'L'
        self.llvm = None        # slots, latency, far

    def set(self, source, **figures):
        if self.source == 'L' or source != 'L':
            self.source = source
        for name, value in {'cr': figures.get('latency', self.cr), **figures}.items():
            setattr(self, name, value)


def parse_use(text):
    return {p.split('*')[0]: int((p.split('*') + [1])[1]) for p in text.split()}


def llvm_costs(model, rows, fields):
    """(row name, variant): Cost with LLVM's figures."""
    items = [(r, v, word(r, bits, fields)) for r in rows for v, bits in r.variants()
             if LEVELS.index(r.since) <= LEVELS.index(LEVEL[model])]
    regions = [('%s:%s' % (r.name, v), text) for (r, v, _), text in zip(items, disassemble([w for _, _, w in items])) if text]
    out, _, _ = mca(CPUS[model], regions, '--instruction-tables')
    resources = [name.split('.')[0] for name in out['TargetInfo']['Resources']]
    found = {}
    for region in out['CodeRegions']:
        if not region.get('Instructions'):
            continue
        info, use, places = region['InstructionInfoView']['InstructionList'][0], {}, 0.0
        for u in region['ResourcePressureView']['ResourcePressureInfo']:
            name = resources[u['ResourceIndex']]
            if u['InstructionIndex']:
                continue        # the sum of all
            if name in PORTS[model]:
                use[PORTS[model][name]] = use.get(PORTS[model][name], 0) + u['ResourceUsage']
            if name.startswith('DISP') or name == 'P10_ANY_SLOT':
                places += u['ResourceUsage']
        slots = 2 if model == 'power8' else max(1, round(places))
        key = tuple(region['Name'].split(':'))
        c = found[key] = Cost(info['NumMicroOpcodes'], slots, info['Latency'], {k: max(1, round(n)) for k, n in use.items()})
        # llvm-mca lets no load or store pass what it calls unmodeled, a move from LR as little as a barrier.
        c.unmodeled = info['hasUnmodeledSideEffects'] and row_unit(rows, key[0]) == 'SYS'
    return found


def row_unit(rows, name):
    return next(r.unit for r in rows if r.name == name)


def correct_power8(name, variant, c, row):
    rc = variant in ('rc', 'oerc') or name in ('addic_', 'andi_', 'andis_')
    if name in LOGICAL_CR:
        c.set('G', latency=3, cr=3)
    elif name in ('mfcr', 'mfocrf', 'mtcrf', 'mtocrf'):
        c.set('G', latency=5 if name == 'mfcr' else 3, cr=3, slots=16 if name == 'mfcr' else 2)
    elif name == 'mfspr':
        c.set('G', latency=5)
    elif name == 'mtspr':
        c.set('G', latency=5 if variant in ('lr', 'ctr') else 5)
    elif name in COMPARES:
        c.set('G', latency=2, cr=2)
    elif name in COUNTS:
        c.set('G', latency=2, cr=5)
    elif name in MULTIPLIES or name.startswith('madd'):
        c.set('G', latency=4, far=1, cr=7)
    elif name in DIVIDES_WORD + DIVIDES:
        n = 37 if name in DIVIDES_WORD else 68
        c.set('G', latency=n, cr=n + 3, use={**c.use, 'DIV': n})
    elif row.unit == 'FX' and name not in ('isel',) and not name.startswith('t'):
        c.set('G', latency=1, far=1, cr=5)
        if rc and name in ROTATES:
            c.set('G', slots=4)
    elif name in ('fdivs', 'xsdivsp', 'fdiv', 'xsdivdp', 'fsqrts', 'xssqrtsp', 'fsqrt', 'xssqrtdp', 'xvdivsp', 'xvdivdp',
                  'xvsqrtsp', 'xvsqrtdp'):
        n = {'fdivs': 27, 'xsdivsp': 27, 'fdiv': 33, 'xsdivdp': 33, 'fsqrts': 32, 'xssqrtsp': 32, 'fsqrt': 44,
             'xssqrtdp': 44, 'xvdivsp': 25, 'xvdivdp': 31, 'xvsqrtsp': 32, 'xvsqrtdp': 44}[name]
        c.set('G', latency=n, use={**c.use, 'FDIV': n})
    elif name in ('fcmpu', 'fcmpo', 'xscmpudp', 'xscmpodp'):
        c.set('G', latency=8, cr=8)
    if row.unit == 'LS' and 'UPD' in row.flags:
        c.set('G', slots=6 if name in ALGEBRAIC else 4)
    elif name in ALGEBRAIC or (row.unit == 'LS' and row.name.startswith(('stf', 'stx', 'stv'))):
        c.set('G', slots=4)
    elif name in ('lmw', 'stmw', 'lswi', 'lswx', 'stswi', 'stswx'):
        c.set('G', slots=16, use=parse_use('LULS*8 ALL*8'))
    if row.unit == 'BR':
        c.set('EST', slots=1)
    if name in CONDITIONAL:
        c.set('G', latency=10, cr=10)
    if name in RESERVED:
        c.set('G', slots=12)


def correct_power9(name, variant, c, row):
    if name == 'mfspr' and variant in ('lr', 'ctr'):
        c.set('UM9', latency=6, use={'EXEC': 2})
    elif name == 'mtspr' and variant in ('lr', 'ctr'):
        c.set('UM9', latency=5, use={'EXEC': 2})
    elif name == 'mfspr' and variant == 'xer':
        c.set('PA', latency=9)
    elif name == 'mfcr':
        c.set('PA', latency=6, cr=5)
    elif name == 'mtcrf':
        c.set('PA', latency=5, cr=5)
    elif name == 'mfocrf':
        c.set('PA', latency=4)
    elif name == 'mtocrf':
        c.set('PA', latency=3, cr=3)
    elif name == 'mcrxrx':
        c.set('PA', latency=5, cr=5)
    elif row.unit == 'FP' and c.latency == 7 and row.name[:3] not in ('vma', 'vmi'):
        c.set('PA', latency=6, cr=6)
    elif name in ('fdivs', 'xsdivsp', 'fdiv', 'xsdivdp', 'fsqrts', 'xssqrtsp', 'fsqrt', 'xssqrtdp', 'xvdivsp', 'xvdivdp',
                  'xvsqrtdp'):
        n, busy = {'fdivs': (23, 11), 'xsdivsp': (23, 11), 'fdiv': (28, 11), 'xsdivdp': (28, 11), 'fsqrts': (26, 10),
                   'xssqrtsp': (26, 10), 'fsqrt': (37, 15), 'xssqrtdp': (37, 15), 'xvdivsp': (26, 12), 'xvdivdp': (29, 12),
                   'xvsqrtdp': (38, 15)}[name]
        c.set('PA', latency=n, cr=n, use={**c.use, 'FDIV': busy})
    elif name in ('mffs', 'mffsce', 'mffscdrn', 'mffscdrni', 'mffscrn', 'mffscrni', 'mffsl'):
        c.set('PA', latency=14, cr=14)
    elif name == 'mtfsf':
        c.set('PA', latency=21)
    elif name in ('mtfsb0', 'mtfsb1', 'mtfsfi'):
        c.set('PA', latency=8)


def correct_power10(name, variant, c, row):
    if row.unit == 'LS' and row.operands[:1] and row.operands[0] in ('RT', 'FRT', 'VRT', 'XT', 'XTP', 'XTQ', 'XT0') and c.latency == 6:
        c.set('G', latency=7 if name.lstrip('p').startswith(('lfs', 'lxss')) else 4)
    elif row.unit == 'LS' and c.latency == 3:
        c.set('G', latency=1)
    elif name in DIVIDES_WORD + DIVIDES:
        c.set('G', latency=12, cr=14)
    elif name in MULTIPLIES or name.startswith('madd'):
        c.set('G', latency=4, far=1, cr=7)
    elif name == 'mfspr':
        c.set('G' if variant in ('lr', 'ctr') else 'L', latency=2 if variant in ('lr', 'ctr') else 13)
    elif name == 'mtspr':
        c.set('G' if variant in ('lr', 'ctr') else 'L', latency=3 if variant in ('lr', 'ctr') else 6)
    elif name == 'mfcr':
        c.set('G', latency=3)
    elif row.unit in ('FX', 'CRU', 'VX', 'VP') and c.latency in (3, 4) and name not in ('tw', 'td', 'twi', 'tdi'):
        c.set('G', latency=c.latency - 1, far=0)
        if row.unit == 'FX' and variant in ('rc', 'oerc') or name in ('addic_', 'andi_', 'andis_'):
            c.set('G', cr=5 if name in ROTATES else 4)
        else:
            c.cr = c.latency
    elif c.latency == 7 and row.unit in ('FP', 'VX', 'CRYPTO'):
        c.set('G', latency=5 if row.unit == 'FP' else 6 if row.unit == 'VX' else 4, far=0)
        c.cr = c.latency
    elif row.unit == 'FP' and c.latency in (3, 4):
        c.set('G', latency=c.latency - 1, far=0)
        c.cr = c.latency


def decimal_cost(model, name):
    """The unit is busy for as long as a result is late."""
    uops, slots, latency, use = ESTIMATES[model]['DFP']
    late = max(0, DECIMAL.get(name, 0) - latency)
    unit = 'DF' if model == 'power10' else 'DFU'
    c = Cost(uops, slots, latency + late, {**parse_use(use), unit: 1 + late})
    c.source = 'EST'
    return c


def hold_back(model, name, variant, c):
    """Barriers: nothing is dispatched until they are done, for so long from the last result or store before them. POWER9's were
    measured, the others' are like them. Of a reservation
    and the store to it the sum was measured, of a loop of them: none overlaps with the next."""
    cycles = {('sync', 'hw'): (35, 37, 35), ('sync', 'pte'): (35, 37, 35), ('sync', 'lw'): (9, 9, 9),
              ('isync', 'plain'): (10, 9, 9), ('eieio', 'plain'): (35, 51, 35)}.get((name, variant))
    if name in RESERVED:
        cycles = (18, 32, 18)
    elif name in CONDITIONAL:
        cycles = (18, 34, 18)
    if cycles:
        c.set('PA' if model == 'power9' else 'EST', hold=cycles[list(CPUS).index(model)])


def llvm_far(model, c, row):
    """POWER10: LLVM's latency is that to consumers on unlike units; like ones are served early."""
    kind = next((k for k in KINDS[model] if k in c.use), None)
    if model == 'power10' and kind in ('FX', 'PM', 'ST', 'SX') and c.latency in (3, 4):
        return 1
    if model == 'power10' and kind == 'BF':
        return (1 if row.unit == 'VX' else 2) if c.latency == 7 else 1 if c.latency == 5 else 0
    if model == 'power10' and kind == 'CY' and c.latency == 7:
        return 3
    if model == 'power10' and kind == 'DX' and c.latency == 5:
        return 1
    if model == 'power10' and kind == 'MM' and c.latency == 10 and row.name not in ('xxmfacc', 'xxmtacc'):
        return 6                # an accumulator's next outer product has it early
    return 0


def costs(model, rows, fields):
    found = llvm_costs(model, rows, fields)
    for row in rows:
        for variant, _ in row.variants():
            c = found.get((row.name, variant))
            if row.unit == 'DFP':
                c = decimal_cost(model, row.name)
            elif c is None:
                uops, slots, latency, use = ESTIMATES[model][row.unit]
                c = Cost(uops, slots, latency, parse_use(use))
                c.source = 'EST'
            else:
                far = llvm_far(model, c, row)
                c.llvm = None if c.unmodeled else (c.slots, c.latency - far, far)
                c.latency, c.far = c.latency - far, far
            c.cr = c.latency
            if c.source != 'EST' and model == 'power10':
                c.latency, c.far = c.latency + c.far, 0     # corrections speak of LLVM's figure
            globals()['correct_' + model](row.name, variant, c, row)
            if model == 'power10' and c.source == 'L' and c.llvm:
                c.latency, c.far = c.llvm[1], c.llvm[2]
            hold_back(model, row.name, variant, c)
            yield row, variant, c


def write(model, rows, fields):
    prefix = {'power8': 'P8_', 'power9': 'P9_', 'power10': 'P10_'}[model]
    path = 'cpu/timing/%s.def' % model
    before, lines = None, []
    for row, variant, c in costs(model, rows, fields):
        kind = next((k for k in KINDS[model] if k in c.use), KINDS[model][-1])
        llvm = c.llvm or (0, 0, 0)
        use = ', '.join('[%s%s] = %d' % (prefix, p, min(n, 255)) for p, n in sorted(c.use.items())) or '0'
        text = '%s, %d, %s%s, %d, FIGURES(%d, %d, %d, %d), FIGURES(%d, %d, %d, %d), %s)' % (
            c.source, c.uops, prefix, kind, c.hold, c.slots, c.latency, c.cr or c.latency, c.far,
            llvm[0], llvm[1], llvm[1], llvm[2], use)
        # A variant like the one before it needs no row.
        if (row.name, text) != before:
            lines.append('COST(%s, %s, %s' % (row.name, variant, text))
        before = row.name, text
    with open(path, 'w') as f:
        f.write('/* %s: written by tools/dev/timing_tables.py. Columns: COST of cpu/timing/cost.c, struct cost of cost.h. */\n'
                % model.upper())
        f.write('\n'.join(lines) + '\n')


def main():
    rows, fields = read_rows()
    for model in sys.argv[1:] or CPUS:
        write(model, rows, fields)


if __name__ == '__main__':
    main()
