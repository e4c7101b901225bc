/* Telnet's commands among a client's bytes: see telnet.h. Nothing that a client sends makes us send more than it did. */
#include "machine/host/telnet.h"

#include <string.h>

enum telnet_state { DATA, COMMAND, OPTION, SUB_OPTION, SUB_DATA, SUB_COMMAND };
enum telnet_byte { SE = 240, SB = 250, WILL = 251, WONT = 252, DO = 253, DONT = 254, IAC = TELNET_IAC };
enum telnet_option { BINARY = 0, ECHO = 1, NO_GO_AHEAD = 3, WINDOW_SIZE = 31 };

/* The client is to show what we send and nothing else, a key at a time, bytes as they are; and we like to know its size. */
static const uint8_t greeting[] = {
	IAC, WILL, ECHO, IAC, WILL, NO_GO_AHEAD, IAC, WILL, BINARY, IAC, DO, BINARY, IAC, DO, WINDOW_SIZE,
};

const uint8_t *telnet_begin(struct telnet *t, size_t *len)
{
	*t = (struct telnet){ .state = DATA };
	*len = sizeof greeting;
	return greeting;
}

/* What the greeting has offered or asked for. */
static bool is_agreed(uint8_t verb, uint8_t option)
{
	if (verb == DO)
		return option == BINARY || option == ECHO || option == NO_GO_AHEAD;
	return option == BINARY || option == WINDOW_SIZE;
}

/* What the client says of an option. To agree to what we have asked for wants no answer; that it sends no "go ahead" is
 * welcome, once; all else is refused, and a refusal is never answered, so that no two programs go on for ever. */
static size_t negotiate(struct telnet *t, uint8_t option, uint8_t *answer)
{
	bool welcome = t->verb == WILL && option == NO_GO_AHEAD;

	if (option == BINARY && (t->verb == WILL || t->verb == WONT))
		t->binary = t->verb == WILL;
	if (t->verb == WONT || t->verb == DONT || is_agreed(t->verb, option) || (welcome && t->welcomed))
		return 0;
	t->welcomed |= welcome;
	answer[0] = IAC;
	answer[1] = welcome ? DO : t->verb == DO ? WONT : DONT;
	answer[2] = option;
	return TELNET_ANSWER;
}

static void end_option(struct telnet *t)
{
	t->state = DATA;
	if (t->option != WINDOW_SIZE || t->bytes != sizeof t->size)
		return;
	t->cols = (uint16_t)(t->size[0] << 8 | t->size[1]);
	t->rows = (uint16_t)(t->size[2] << 8 | t->size[3]);
	t->sized = true;
}

static void option_byte(struct telnet *t, uint8_t byte)
{
	if (t->bytes < sizeof t->size)
		t->size[t->bytes] = byte;
	t->bytes += t->bytes <= sizeof t->size;		/* more than there may be: it is none */
}

static void command(struct telnet *t, uint8_t byte)
{
	t->verb = byte;
	t->state = byte >= WILL && byte <= DONT ? OPTION : byte == SB ? SUB_OPTION : DATA;
}

/* Enter is CR NUL or CR LF from a client that does not send bytes as they are. */
static bool is_half_of_enter(struct telnet *t, uint8_t byte)
{
	bool half = t->after_cr && (byte == 0 || byte == '\n');

	t->after_cr = !t->binary && byte == '\r';
	return half;
}

static bool is_data(struct telnet *t, uint8_t byte)
{
	bool doubled = t->state == COMMAND && byte == IAC;

	if (t->state == DATA && byte == IAC) {
		t->state = COMMAND;
		return false;
	}
	if (t->state != DATA && !doubled)
		return false;
	t->state = DATA;
	return !is_half_of_enter(t, byte);
}

/* A byte of a command. */
static size_t take_command(struct telnet *t, uint8_t byte, uint8_t *answer)
{
	switch ((enum telnet_state)t->state) {
	case DATA:
		break;
	case COMMAND:
		command(t, byte);
		break;
	case OPTION:
		t->state = DATA;
		return negotiate(t, byte, answer);
	case SUB_OPTION:
		t->option = byte;
		t->bytes = 0;
		t->state = byte == IAC ? SUB_COMMAND : SUB_DATA;
		break;
	case SUB_DATA:
		if (byte == IAC)
			t->state = SUB_COMMAND;
		else
			option_byte(t, byte);
		break;
	case SUB_COMMAND:
		t->state = SUB_DATA;
		if (byte == SE)
			end_option(t);
		else if (byte == IAC)
			option_byte(t, byte);
		else
			command(t, byte);	/* it has been cut short */
		break;
	}
	return 0;
}

size_t telnet_take(struct telnet *t, uint8_t *buf, size_t len, uint8_t *answers, size_t *answered)
{
	size_t kept = 0;

	*answered = 0;
	for (size_t i = 0; i < len; i++) {
		uint8_t byte = buf[i];
		bool begins = t->state == DATA && byte == IAC;

		if (is_data(t, byte))
			buf[kept++] = byte;
		else if (!begins && t->state != DATA)
			*answered += take_command(t, byte, answers + *answered);
	}
	return kept;
}
