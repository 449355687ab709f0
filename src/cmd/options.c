/* `options`: what every command takes. */
#include "cmd/cmd.h"

#include "util/mem.h"

static int run_options(const struct cmd_context *context, int *ret_exit_code, struct err *err)
{
	_cleanup_buf_ struct buf out = BUF_TEXT;

	(void)ret_exit_code;
	(void)err;
	buf_adds(&out, "The following options can be passed to any command:\n\n");
	option_help(global_option_table, context->output_term.width, &out);
	fputs(buf_text(&out), context->output);
	return 0;
}

const struct command cmd_options = {
	.name = "options",
	.summary = "Print the list of options that every command has",
	.run = run_options,
};
