/* Reading JSON: a tree of nodes in one array. The text is a snapshot's, so it is hostile. */
#ifndef SAVEVM_JSON_H
#define SAVEVM_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define JSON_MAX_DEPTH 64
#define JSON_NONE UINT32_MAX

enum json_kind { JSON_OBJECT, JSON_ARRAY, JSON_STRING, JSON_NUMBER, JSON_WORD };

struct json_node {
	uint8_t kind;			/* enum json_kind */
	uint32_t key_at, key_len;	/* in the text, without quotes; of members */
	uint32_t at, len;		/* in the text; strings without quotes, escapes as they are */
	uint32_t next;			/* member or element after this one; JSON_NONE: none */
	uint32_t child;			/* first one inside; JSON_NONE: none */
};

struct json {
	const char *text;		/* the caller's */
	size_t len;
	struct json_node *node;		/* [0] is the whole */
	uint32_t nodes, room;
};

/* Nodes take no more than a few times the text's bytes: a document of hardly anything but brackets is refused. */
#define JSON_BYTES_PER_NODE 4
#define JSON_FREE_NODES     4096

/* False: not JSON, too deep, too dense, or out of memory. */
bool json_parse(struct json *j, const char *text, size_t len);
void json_free(struct json *j);
/* The member of an object; JSON_NONE: there is none. */
uint32_t json_member(const struct json *j, uint32_t object, const char *key);
/* A whole number that is not negative; `otherwise` if it is none. */
uint64_t json_number(const struct json *j, uint32_t node, uint64_t otherwise);
bool json_is(const struct json *j, uint32_t node, const char *text);	/* a string that says this */
/* A string's text, cut to size; "" if it is none. */
const char *json_string(const struct json *j, uint32_t node, char *buf, size_t size);

#endif
