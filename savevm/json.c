/* Reading JSON. RFC 8259, but that strings keep their escapes: names in snapshots have none. */
#include "savevm/json.h"

#include <stdlib.h>
#include <string.h>

struct parser {
	struct json *j;
	size_t at;
};

static void skip_blanks(struct parser *p)
{
	while (p->at < p->j->len && memchr(" \t\r\n", p->j->text[p->at], 4))
		p->at++;
}

static char peek_char(struct parser *p)
{
	skip_blanks(p);
	return p->at < p->j->len ? p->j->text[p->at] : 0;
}

static bool take_char(struct parser *p, char c)
{
	if (peek_char(p) != c)
		return false;
	p->at++;
	return true;
}

static uint32_t new_node(struct parser *p, enum json_kind kind)
{
	struct json *j = p->j;

	if (j->nodes == j->room) {
		uint32_t most = (uint32_t)(j->len / JSON_BYTES_PER_NODE) + JSON_FREE_NODES, room = j->room ? 2 * j->room : 1024;
		struct json_node *node = NULL;

		if (room > most)
			room = most;
		if (room > j->nodes)
			node = realloc(j->node, room * sizeof *node);

		if (!node)
			return JSON_NONE;
		j->node = node;
		j->room = room;
	}
	j->node[j->nodes] = (struct json_node){ .kind = (uint8_t)kind, .at = (uint32_t)p->at, .next = JSON_NONE, .child = JSON_NONE };
	return j->nodes++;
}

/* Parses from behind the first quote up to behind the last one. */
static bool parse_string(struct parser *p, uint32_t *at, uint32_t *len)
{
	*at = (uint32_t)p->at;
	for (; p->at < p->j->len && p->j->text[p->at] != '"'; p->at++)
		if (p->j->text[p->at] == '\\')
			p->at++;
	if (p->at >= p->j->len)
		return false;
	*len = (uint32_t)p->at++ - *at;
	return true;
}

static uint32_t parse_value(struct parser *p, unsigned depth);

static bool parse_inside(struct parser *p, uint32_t self, char end, unsigned depth)
{
	uint32_t last = JSON_NONE;

	if (take_char(p, end))
		return true;
	do {
		uint32_t key_at = 0, key_len = 0, child;

		if (end == '}' && (!take_char(p, '"') || !parse_string(p, &key_at, &key_len) || !take_char(p, ':')))
			return false;
		child = parse_value(p, depth + 1);
		if (child == JSON_NONE)
			return false;
		p->j->node[child].key_at = key_at;
		p->j->node[child].key_len = key_len;
		if (last == JSON_NONE)
			p->j->node[self].child = child;
		else
			p->j->node[last].next = child;
		last = child;
	} while (take_char(p, ','));
	return take_char(p, end);
}

static uint32_t parse_value(struct parser *p, unsigned depth)
{
	char c = peek_char(p);
	uint32_t self = depth < JSON_MAX_DEPTH ? new_node(p, c == '{' ? JSON_OBJECT : c == '[' ? JSON_ARRAY : c == '"' ? JSON_STRING :
							  (c >= '0' && c <= '9') || c == '-' ? JSON_NUMBER : JSON_WORD) : JSON_NONE;
	size_t from = p->at;

	if (self == JSON_NONE)
		return JSON_NONE;
	if (c == '{' || c == '[') {
		p->at++;
		if (!parse_inside(p, self, c == '{' ? '}' : ']', depth))
			return JSON_NONE;
		p->j->node[self].len = (uint32_t)(p->at - from);
		return self;
	}
	if (c == '"') {
		p->at++;
		return parse_string(p, &p->j->node[self].at, &p->j->node[self].len) ? self : JSON_NONE;
	}
	while (p->at < p->j->len && !memchr(",]} \t\r\n", p->j->text[p->at], 7))
		p->at++;
	p->j->node[self].len = (uint32_t)(p->at - from);
	return p->at > from ? self : JSON_NONE;
}

bool json_parse(struct json *j, const char *text, size_t len)
{
	struct parser p = { .j = j };

	*j = (struct json){ .text = text, .len = len };
	if (len < UINT32_MAX && parse_value(&p, 0) != JSON_NONE && !peek_char(&p) && p.at >= len)
		return true;
	json_free(j);
	return false;
}

void json_free(struct json *j)
{
	free(j->node);
	j->node = NULL;
	j->nodes = j->room = 0;
}

uint32_t json_member(const struct json *j, uint32_t object, const char *key)
{
	size_t len = strlen(key);

	if (object == JSON_NONE || j->node[object].kind != JSON_OBJECT)
		return JSON_NONE;
	for (uint32_t i = j->node[object].child; i != JSON_NONE; i = j->node[i].next)
		if (j->node[i].key_len == len && !memcmp(j->text + j->node[i].key_at, key, len))
			return i;
	return JSON_NONE;
}

uint64_t json_number(const struct json *j, uint32_t node, uint64_t otherwise)
{
	uint64_t v = 0;

	if (node == JSON_NONE || j->node[node].kind != JSON_NUMBER)
		return otherwise;
	for (uint32_t i = 0; i < j->node[node].len; i++) {
		char c = j->text[j->node[node].at + i];

		if (c < '0' || c > '9' || v > (UINT64_MAX - 9) / 10)
			return otherwise;
		v = 10 * v + (uint64_t)(c - '0');
	}
	return v;
}

bool json_is(const struct json *j, uint32_t node, const char *text)
{
	return node != JSON_NONE && j->node[node].kind == JSON_STRING && j->node[node].len == strlen(text) &&
	       !memcmp(j->text + j->node[node].at, text, j->node[node].len);
}

const char *json_string(const struct json *j, uint32_t node, char *buf, size_t size)
{
	size_t len = node != JSON_NONE && j->node[node].kind == JSON_STRING ? j->node[node].len : 0;

	if (len >= size)
		len = size - 1;
	if (len)
		memcpy(buf, j->text + j->node[node].at, len);
	buf[len] = 0;
	return buf;
}
