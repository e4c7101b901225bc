/* Cases go to the oracle CHUNK at a time, and come back as it has run them. */
#ifndef TESTS_INSN_PIPE_H
#define TESTS_INSN_PIPE_H

#include <stdbool.h>
#include <sys/types.h>

#include "state.h"

struct oracle {
	const char *command;
	pid_t pid;	/* 0: not running */
	int to, from;
};

/* Starts it if need be. Both return false if it is gone or takes too long: stop it then. */
bool oracle_ask(struct oracle *o, const struct testcase *in);
bool oracle_answer(struct oracle *o, struct testcase *out);
void oracle_stop(struct oracle *o);

#endif
