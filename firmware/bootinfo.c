/* CHRP boot scripts, \ppc\bootinfo.txt: <chrp-boot> .. <boot-script>boot &device;:\path</boot-script> ..
 * It would be Forth; what counts of it is the path behind "&device;:", as SLOF has it.
 * Source: CHRP binding to IEEE 1275, 11.1. */
#include <string.h>

#include "firmware/volume.h"

#define DEVICE "&device;"

static const char *text_find(const char *text, const char *end, const char *word)
{
	size_t len = strlen(word);

	for (; text + len <= end; text++)
		if (!memcmp(text, word, len))
			return text;
	return NULL;
}

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* The word at *text, up to a blank, '<' or the end. False: it is empty or too long. */
static bool take_word(const char **text, const char *end, char *word)
{
	unsigned len = 0;

	for (; *text < end && !is_space(**text) && **text != '<' && **text; (*text)++) {
		if (len == BOOTINFO_PATH - 1)
			return false;
		word[len++] = **text;
	}
	word[len] = 0;
	return len;
}

/* What is left of the line, without blanks around it. */
static void take_rest(const char *text, const char *end, char *rest)
{
	unsigned len = 0;

	while (text < end && (*text == ' ' || *text == '\t'))
		text++;
	while (text < end && len < BOOTINFO_PATH - 1 && *text != '<' && *text != '\n' && *text)
		rest[len++] = *text++;
	while (len && is_space(rest[len - 1]))
		len--;
	rest[len] = 0;
}

bool bootinfo_parse(const char *text, uint32_t bytes, struct bootinfo *info)
{
	const char *end = text + bytes, *script = text_find(text, end, "<boot-script>"), *close;

	if (!script)
		return false;
	close = text_find(script, end, "</boot-script>");
	script = close ? text_find(script, close, DEVICE) : NULL;
	if (!script)
		return false;
	script += strlen(DEVICE);
	if (script < close && *script == ':')
		script++;
	while (script < close && *script == ',')	/* "&device;:,\path": of no partition */
		script++;
	if (!take_word(&script, close, info->path))
		return false;
	take_rest(script, close, info->args);
	return true;
}
