/* Flags, their mistakes, and how the program introduces itself. */
#include "kubectl.h"

#include <stddef.h>

#define PLAIN_CONFIG USUAL("token: one")

const struct kubectl_case kubectl_cases_flags[] = {
	{ .rule = "an unknown flag",
	  .config = PLAIN_CONFIG,
	  .words = { "--bogus" },
	  .outcome = "Error: unknown flag: --bogus",
	  .kubectls = "*rror: unknown flag: --bogus",
	  .why = "words: Error: or error:, by version" },
	{ .rule = "an unknown short flag",
	  .config = PLAIN_CONFIG,
	  .words = { "-Z" },
	  .outcome = "*nknown shorthand*",
	  .kubectls = "*rror: unknown shorthand flag: 'Z' in -Z",
	  .why = "words: Error: or error:, by version" },
	{ .rule = "a flag without its argument",
	  .config = PLAIN_CONFIG,
	  .words = { "-n" },
	  .outcome = "*flag needs an argument: 'n' in -n",
	  .kubectls = "*rror: flag needs an argument: 'n' in -n",
	  .why = "words: Error: or error:, by version" },
	{ .rule = "a long flag without its argument",
	  .config = PLAIN_CONFIG,
	  .words = { "--context" },
	  .outcome = "*flag needs an argument: --context",
	  .kubectls = "*rror: flag needs an argument: --context",
	  .why = "words: Error: or error:, by version" },
	{ .rule = "a truth that is none",
	  .config = PLAIN_CONFIG,
	  .words = { "--insecure-skip-tls-verify=perhaps" },
	  .outcome =
	      "Error: invalid argument \"perhaps\" for \"--insecure-skip-tls-verify\" flag: must be true or false",
	  .kubectls = "*invalid argument \"perhaps\" for \"--insecure-skip-tls-verify\" flag: strconv.ParseBool: *",
	  .why = "words: kubectl names the function of Go that failed" },
	{ .rule = "--request-timeout that is none",
	  .config = PLAIN_CONFIG,
	  .words = { "--request-timeout=x" },
	  .outcome =
	      "error: Invalid timeout value. Timeout must be a single integer in seconds, or an integer followed by "
	      "a corresponding time unit (e.g. 1s | 2m | 3h)" },
	{ .rule = "--request-timeout in its three forms, glued and not",
	  .config = PLAIN_CONFIG,
	  .words = { "--request-timeout", "1m", "--request-timeout=20", "--request-timeout=3h", "-nns5" },
	  .outcome = "A ns5 Bearer one" },
	{ .rule = "-n=", .config = PLAIN_CONFIG, .words = { "-n=ns6" }, .outcome = "A ns6 Bearer one" },
	{ .rule = "an output format that nobody knows",
	  .config = PLAIN_CONFIG,
	  .words = { "-o", "bogus" },
	  .outcome =
	      "error: unable to match a printer suitable for the output format \"bogus\", allowed formats are: *",
	  .kubectls =
	      "*error: unable to match a printer suitable for the output format \"bogus\", allowed formats are: *",
	  .why = "better: it says so before it asks the server" },
	{ .rule = "who asks",
	  .config = PLAIN_CONFIG,
	  .headers = true,
	  .outcome = "A default Bearer one, user-agent: kubectl-consul/VERSION (linux/amd64), kubectl-command: kubectl "
	             "consul health, kubectl-session: UUID",
	  .kubectls = "A default Bearer one, user-agent: kubectl*/VERSION (linux/amd64)*kubectl-command: kubectl get, "
	              "kubectl-session: UUID",
	  .why = "words: the program's own name" },
	{ 0 },
};
