/* The build's tool that prints the manual page: man DATE. See include/cmd/man.h. */
#include <stdio.h>

#include "cmd/man.h"

int main(int argc, char **argv)
{
	const struct program program = { .name = "kubectl consul",
		                         .description = cmd_description,
		                         .commands = cmd_commands };
	_cleanup_buf_ struct buf out = BUF_TEXT;

	if (argc != 2) {
		fputs("usage: man DATE\n", stderr);
		return 2;
	}
	man_page(&program, KUBECTL_CONSUL_VERSION, argv[1], &out);
	fputs(buf_text(&out), stdout);
	return fflush(stdout) == 0 ? 0 : 1;
}
