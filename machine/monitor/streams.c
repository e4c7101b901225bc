/* Character devices as a monitor sees them. */
#include "machine/monitor/streams.h"

#include <stdlib.h>
#include <string.h>

#include "machine/core/config.h"
#include "machine/host/chardev.h"
#include "machine/host/console.h"
#include "machine/monitor/monitor.h"

#define NAME_MOST 4096			/* bytes of what one is called */

/* ---- What nobody else has opened ---- */

bool streams_new(struct machine *m, struct error *err)
{
	for (unsigned i = 0; i < m->config->chardevs; i++) {
		struct chardev *c = m->config->chardev[i];

		if (console_of(m->consoles, c))
			continue;
		m->monitors->idle[m->monitors->idles] = console_open(&m->consoles, m->term, c, err);
		if (!m->monitors->idle[m->monitors->idles])
			return false;
		m->monitors->idles++;
	}
	return true;
}

void streams_free(struct machine *m)
{
	for (unsigned i = 0; i < m->monitors->idles; i++)
		console_close(m->monitors->idle[i]);
}

static bool is_idle(const struct machine *m, const struct chardev *c)
{
	for (unsigned i = 0; i < m->monitors->idles; i++)
		if (m->monitors->idle[i] == console_of(m->consoles, c))
			return true;
	return !console_of(m->consoles, c);
}

/* ---- Lists ---- */

/* QEMU has two of one with an escape key: what is behind it, and that which several are on. */
static void each_stream(const struct machine *m, FILE *out, void (*show)(FILE *out, const char *label, const char *name, bool open))
{
	char name[NAME_MOST], label[CHARDEV_ID_MAX + 8];

	for (unsigned i = 0; i < m->config->chardevs; i++) {
		const struct chardev *c = m->config->chardev[i];

		snprintf(label, sizeof label, "%s%s", c->id, c->mux ? "-base" : "");
		show(out, label, console_describe(console_of(m->consoles, c), c, name, sizeof name), c->mux || !is_idle(m, c));
		if (c->mux)
			show(out, c->id, "mux", !is_idle(m, c));
	}
}

static void print_one(FILE *out, const char *label, const char *name, bool open)
{
	(void)open;
	fprintf(out, "%s: filename=%s\n", label, name);
}

void streams_print(const struct machine *m, FILE *out)
{
	each_stream(m, out, print_one);
}

static void query_one(FILE *out, const char *label, const char *name, bool open)
{
	fprintf(out, "%s{\"frontend-open\": %s, \"filename\": ", ftell(out) > 1 ? ", " : "", open ? "true" : "false");
	qmp_string(out, name);
	fputs(", \"label\": ", out);
	qmp_string(out, label);
	fputc('}', out);
}

/* `out` is at its beginning. */
void streams_query(const struct machine *m, FILE *out)
{
	fputc('[', out);
	each_stream(m, out, query_one);
	fputc(']', out);
}

void streams_query_backends(FILE *out)
{
	const char *name;

	for (unsigned i = 0; (name = chardev_backend(i)); i++)
		fprintf(out, "%s{\"name\": \"%s\"}", i ? ", " : "[", name);
	fputc(']', out);
}

/* ---- Rings ---- */

struct console *streams_ring(const struct machine *m, const char *id, struct error *err)
{
	for (unsigned i = 0; i < m->config->chardevs; i++) {
		struct console *c = console_of(m->consoles, m->config->chardev[i]);

		if (strcmp(m->config->chardev[i]->id, id))
			continue;
		if (c && console_is_ring(c))
			return c;
		error_set(err, "%.60s is not a ringbuf device", id);
		return NULL;
	}
	error_set(err, "Device '%.60s' not found", id);
	return NULL;
}

uint8_t *streams_ring_read(struct console *ring, uint64_t size, size_t *len, struct error *err)
{
	uint8_t *data;

	if (!size) {
		error_set(err, "size must be greater than zero");
		return NULL;
	}
	size = size < console_ring_has(ring) ? size : console_ring_has(ring);
	data = malloc(size + 1);
	if (data)
		*len = console_ring_read(ring, data, size);
	else
		error_set(err, "out of memory");
	return data;
}

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

char *streams_encode(const uint8_t *data, size_t len)
{
	char *text = malloc(len / 3 * 4 + 5), *to = text;

	for (size_t i = 0; text && i < len; i += 3) {
		size_t n = len - i < 3 ? len - i : 3;
		uint32_t word = (uint32_t)data[i] << 16 | (n > 1 ? (uint32_t)data[i + 1] << 8 : 0) | (n > 2 ? data[i + 2] : 0);

		for (size_t j = 0; j < 4; j++)
			*to++ = j <= n ? digits[word >> (18 - 6 * j) & 63] : '=';
	}
	if (text)
		*to = 0;
	return text;
}

bool streams_decode(char *text, size_t *len, struct error *err)
{
	size_t n = strlen(text), padding = n && text[n - 1] == '=' ? 1 + (n > 1 && text[n - 2] == '=') : 0, kept = 0;
	uint32_t word = 0;

	for (size_t i = 0; i < n - padding; i++) {
		const char *digit = strchr(digits, text[i]);

		if (!digit || n % 4) {
			error_set(err, n % 4 ? "Base64 data has a wrong length" : "Base64 data contains invalid characters");
			return false;
		}
		word = word << 6 | (uint32_t)(digit - digits);
		if (i % 4)
			text[kept++] = (char)(word >> (6 - 2 * (i % 4)));
	}
	*len = kept;
	return true;
}
