"""A scatter plot of pairs on logarithmic axes, as SVG."""
import math

SIZE, EDGE = 640, 60


def write_scatter(path, pairs, title, names):
    """x and y of each pair are positive; equal values lie on the line. The axes have these names."""
    pairs = [(x, y) for x, y in pairs if x > 0 and y > 0]
    low = math.floor(min(math.log10(min(p)) for p in pairs))
    high = math.ceil(max(math.log10(max(p)) for p in pairs))

    def at(v):
        return EDGE + (math.log10(v) - low) / (high - low) * (SIZE - 2 * EDGE)

    out = ['<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" font-family="sans-serif" font-size="12">' % (SIZE, SIZE),
           '<rect width="100%" height="100%" fill="white"/>', '<text x="%d" y="20">%s</text>' % (EDGE, title)]
    for k in range(low, high + 1):
        p = at(10 ** k)
        out.append('<path d="M%.1f %d V%d M%d %.1f H%d" stroke="#ddd"/>' % (p, EDGE, SIZE - EDGE, EDGE, SIZE - p, SIZE - EDGE))
        out.append('<text x="%.1f" y="%d">%g</text><text x="5" y="%.1f">%g</text>' % (p, SIZE - EDGE + 18, 10 ** k, SIZE - p, 10 ** k))
    out.append('<text x="%d" y="%d" text-anchor="middle">%s</text>' % (SIZE // 2, SIZE - 12, names[0]))
    out.append('<text transform="translate(44 %d) rotate(-90)" text-anchor="middle">%s</text>' % (SIZE // 2, names[1]))
    out.append('<path d="M%d %d L%d %d" stroke="#888"/>' % (EDGE, SIZE - EDGE, SIZE - EDGE, EDGE))
    out += ['<circle cx="%.1f" cy="%.1f" r="1.5" fill="#036" fill-opacity=".3"/>' % (at(x), SIZE - at(y)) for x, y in pairs]
    with open(path, 'w') as f:
        f.write('\n'.join(out + ['</svg>', '']))
