/* Writing the JSON description. Names are ours or QEMU's: none needs escapes. */
#include "savevm/vmdesc.h"

#define PAGE_SIZE_SAID 4096

/* A comma, unless this is the first of a list. */
static void put_comma(struct text *t)
{
	if (t->len && t->p[t->len - 1] != '[')
		text_bytes(t, ",", 1);
}

void vmdesc_begin(struct text *t)
{
	text_add(t, "{\"page_size\":%d,\"devices\":[", PAGE_SIZE_SAID);
}

void vmdesc_end(struct text *t)
{
	text_add(t, "]}");
	/* The analyser takes the first { after the file's last zero byte for the beginning; the length
	 * before it has 32 bits, big-endian. A } must stay the last byte, so blanks go before it. */
	while (!t->failed && ((t->len & 0xff) == '{' || (t->len >> 8 & 0xff) == '{' || (t->len >> 16 & 0xff) == '{')) {
		t->len--;
		text_add(t, " }");
	}
}

void vmdesc_device(struct text *t, const char *name, uint32_t instance, const struct vmstate *state)
{
	if (!t)
		return;
	put_comma(t);
	text_add(t, "{\"name\":\"%s\",\"instance_id\":%u,", name, (unsigned)instance);
	vmdesc_state(t, state);
}

void vmdesc_device_end(struct text *t)
{
	if (t)
		text_add(t, "}");
}

void vmdesc_state(struct text *t, const struct vmstate *state)
{
	if (t)
		text_add(t, "\"vmsd_name\":\"%s\",\"version\":%u,\"fields\":[", state->name, (unsigned)state->version);
}

void vmdesc_fields_end(struct text *t)
{
	if (t)
		text_add(t, "]");
}

void vmdesc_field(struct text *t, const char *name, const char *type, uint64_t size, uint32_t length, bool equal)
{
	if (!t || !length)
		return;
	put_comma(t);
	text_add(t, "{\"name\":\"%s\",", name);
	if (length > 1)
		text_add(t, "\"array_len\":%u,", (unsigned)length);
	text_add(t, "\"type\":\"%s%s\",\"size\":%llu}", type, equal ? " equal" : "", (unsigned long long)size);
}

void vmdesc_struct(struct text *t, const char *name, uint32_t length, int64_t index)
{
	if (!t)
		return;
	put_comma(t);
	text_add(t, "{\"name\":\"%s\",", name);
	if (index >= 0)
		text_add(t, "\"index\":%lld,", (long long)index);
	else if (length > 1)
		text_add(t, "\"array_len\":%u,", (unsigned)length);
	text_add(t, "\"type\":\"struct\",\"struct\":{");
}

void vmdesc_struct_end(struct text *t, uint64_t size)
{
	if (t)
		text_add(t, "},\"size\":%llu}", (unsigned long long)size);
}

void vmdesc_queue(struct text *t, const char *name, const struct vmstate *state)
{
	if (!t)
		return;
	put_comma(t);
	text_add(t, "{\"name\":\"%s\",\"type\":\"qtailq\",", name);
	vmdesc_state(t, state);
}

void vmdesc_queue_end(struct text *t, uint64_t size)
{
	if (t)
		text_add(t, ",\"size\":%llu}", (unsigned long long)size);
}

void vmdesc_sub(struct text *t, bool first, const struct vmstate *state)
{
	if (!t)
		return;
	text_add(t, first ? ",\"subsections\":[{" : ",{");
	vmdesc_state(t, state);
}

void vmdesc_sub_end(struct text *t)
{
	if (t)
		text_add(t, "}");
}

void vmdesc_subs_end(struct text *t)
{
	if (t)
		text_add(t, "]");
}
