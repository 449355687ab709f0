/* The screen of health, from snapshots: what a person sees in a narrow terminal, in a pipe, without UTF-8. */
#include <criterion/criterion.h>

#include "../consul/sample.h"
#include "cmd/health_screen.h"
#include "util/mem.h"
#include "util/str.h"

static struct snapshot snapshot;
static struct assessment assessment;

static const struct term pipe_term = { .utf8 = true };
static const struct term narrow = { .is_tty = true, .utf8 = true, .width = 60 };

static void setup(void)
{
	snapshot = (struct snapshot)SNAPSHOT_INIT;
	sample_init(&snapshot, 3);
}

static void teardown(void)
{
	assessment_release(&assessment);
	snapshot_release(&snapshot);
}

TestSuite(health_screen, .init = setup, .fini = teardown);

static char *screen(const struct term *term, struct health_screen_options options)
{
	struct buf out = BUF_TEXT;

	options.program = "kubectl consul";
	assess(&snapshot, &assessment);
	health_screen(&snapshot, &assessment, &options, term, &out);
	return buf_detach(&out);
}

static char *members(void)
{
	struct health_screen_options options = { .program = "kubectl consul" };
	struct buf out = BUF_TEXT;

	assess(&snapshot, &assessment);
	health_screen_members(&snapshot, &assessment, &options, &pipe_term, &out);
	return buf_detach(&out);
}

static bool has_line(const char *text, const char *line)
{
	_cleanup_strv_ struct strv lines = STRV_INIT;

	strv_split(&lines, text, '\n');
	return strv_contains(&lines, line);
}

Test(health_screen, a_healthy_cluster_is_a_verdict_and_a_row_each)
{
	_cleanup_free_ char *text = screen(&pipe_term, (struct health_screen_options){ 0 });
	_cleanup_strv_ struct strv lines = STRV_INIT;

	strv_split(&lines, text, '\n');
	cr_assert_eq(lines.count, 9, "%s", text);
	cr_assert(str_starts_with(lines.items[0], "HEALTHY  "));
	cr_assert(strstr(lines.items[0], "3/3 voters · leader consul-0 · tolerates 1 failure"));
	cr_assert(str_starts_with(lines.items[2], "SERVER"));
	cr_assert(str_starts_with(lines.items[3], "consul-0   Running   alive    leader"), "%s", lines.items[3]);
	cr_assert(str_starts_with(lines.items[5], "consul-2   Running   alive    follower"));
	cr_assert_str_eq(lines.items[7], "encrypted  gossip · RPC, verified both ways; plain: HTTP API");
}

/* Every server presents this certificate. */
static void present_certificate(int64_t days_left)
{
	for (size_t i = 0; i < snapshot.server_count; i++) {
		struct certificate *certificate = &snapshot.servers[i].view.certificate;

		certificate->known = true;
		certificate->not_after = SAMPLE_NOW + days_left * 86400 + 1;
		certificate->fingerprint = xstrdup("aa");
	}
}

Test(health_screen, what_is_encrypted_fits_in_eighty_columns)
{
	_cleanup_free_ char *text = NULL, *ascii = NULL;

	present_certificate(364);
	text = screen(&(struct term){ .is_tty = true, .utf8 = true, .width = 80 }, (struct health_screen_options){ 0 });
	cr_assert(has_line(text, "encrypted  gossip · RPC, verified both ways · HTTPS; certificates: 364 days left"),
	          "%s", text);
	assessment_release(&assessment);
	ascii = screen(&(struct term){ .is_tty = true, .width = 60 }, (struct health_screen_options){ 0 });
	for (const char *at = ascii; *at; at++)
		cr_assert_geq(*at, 0, "%s", ascii);
	cr_assert_not_null(strstr(ascii, "certificates: 364"), "%s", ascii);
}

Test(health_screen, nothing_known_is_no_line)
{
	_cleanup_free_ char *text = NULL;

	for (size_t i = 0; i < 3; i++)
		sample_silence(&snapshot, i, ERR_TIMEOUT, "no answer in 5 s");
	text = screen(&pipe_term, (struct health_screen_options){ 0 });
	cr_assert_null(strstr(text, "\nencrypted  "), "%s", text);
	cr_assert_null(strstr(text, "\nplain  "), "%s", text);
}

Test(health_screen, without_headers)
{
	_cleanup_free_ char *text = screen(&pipe_term, (struct health_screen_options){ .no_headers = true });

	cr_assert_null(strstr(text, "SERVER"));
	cr_assert_not_null(strstr(text, "consul-1"));
}

Test(health_screen, wide_tells_address_and_way)
{
	_cleanup_free_ char *text = screen(&pipe_term, (struct health_screen_options){ .wide = true });

	cr_assert_not_null(strstr(text, "ASKED BY"));
	cr_assert_not_null(strstr(text, "10.0.0.12"));
	cr_assert_not_null(strstr(text, "tunnel"));
}

Test(health_screen, a_finding_has_code_cause_and_next)
{
	_cleanup_free_ char *text = NULL;

	sample_stop(&snapshot, 1, "CrashLoopBackOff");
	text = screen(&pipe_term, (struct health_screen_options){ 0 });
	cr_assert(str_starts_with(text, "DEGRADED  "));
	cr_assert_not_null(strstr(text, "consul-1   CrashLoopBackOff"), "%s", text);
	cr_assert_not_null(strstr(text, "degraded CON107"), "%s", text);
	cr_assert_not_null(strstr(text, "    cause "));
	cr_assert_not_null(strstr(text, "    next   kubectl "));
	cr_assert(has_line(text, "More on a finding: kubectl consul explain CON107"));
}

Test(health_screen, no_line_but_a_command_is_wider_than_the_terminal)
{
	_cleanup_free_ char *text = NULL;
	_cleanup_strv_ struct strv lines = STRV_INIT;

	sample_stop(&snapshot, 1, "CrashLoopBackOff");
	sample_stop(&snapshot, 2, "CrashLoopBackOff");
	text = screen(&narrow, (struct health_screen_options){ 0 });
	strv_split(&lines, text, '\n');
	for (size_t i = 0; i < lines.count; i++)
		cr_assert(term_text_width(lines.items[i]) <= 60 || str_starts_with(lines.items[i], "    next "), "%s",
		          lines.items[i]);
}

Test(health_screen, a_live_screen_wraps_commands_so_that_they_can_be_pasted)
{
	_cleanup_free_ char *text = NULL;
	_cleanup_strv_ struct strv lines = STRV_INIT;
	bool goes_on = false;

	sample_stop(&snapshot, 1, "CrashLoopBackOff");
	text = screen(&(struct term){ .is_tty = true, .width = 40 },
	              (struct health_screen_options){ .wrap_commands = true });
	strv_split(&lines, text, '\n');
	for (size_t i = 0; i < lines.count; i++) {
		cr_assert_leq(term_text_width(lines.items[i]), 40, "%s", lines.items[i]);
		goes_on = goes_on || str_ends_with(lines.items[i], " \\");
	}
	cr_assert(goes_on, "%s", text);
}

Test(health_screen, no_sign_beyond_ascii_without_utf8)
{
	_cleanup_free_ char *text =
	    screen(&(struct term){ .is_tty = true, .width = 80 }, (struct health_screen_options){ 0 });

	for (const char *at = text; *at; at++)
		cr_assert_geq(*at, 0, "%s", text);
}

Test(health_screen, escapes_in_foreign_names_are_shown_not_obeyed)
{
	_cleanup_free_ char *text = NULL, *list = NULL;

	sample_add_member(&snapshot, "\033[2Jevil\r", "10.9.9.9", MEMBER_FAILED, true);
	replace_string(&snapshot.servers[1].pod.node, xstrdup("\033]0;title\007"));
	text = screen(&pipe_term, (struct health_screen_options){ 0 });
	assessment_release(&assessment);
	list = members();
	cr_assert_null(strchr(text, '\033'));
	cr_assert_null(strchr(text, '\007'));
	cr_assert_null(strchr(list, '\033'));
	cr_assert_null(strchr(list, '\r'));
}

Test(health_screen, members_of_a_healthy_cluster_end_as_the_old_example_did)
{
	_cleanup_free_ char *text = members();

	cr_assert(has_line(text, "all 3 servers have this list"));
	cr_assert(str_ends_with(text, "\ncluster is healthy\n"));
}

Test(health_screen, members_tell_who_has_another_list)
{
	_cleanup_free_ char *text = NULL;

	sample_see(&snapshot, 2, "consul-1", MEMBER_FAILED);
	text = members();
	cr_assert_not_null(strstr(text, "consul-2 disagrees: it has consul-1 as failed"), "%s", text);
	cr_assert_null(strstr(text, "cluster is healthy"));
}

Test(health_screen, members_tell_who_did_not_answer)
{
	_cleanup_free_ char *text = NULL;

	sample_silence(&snapshot, 1, ERR_TIMEOUT, "timed out");
	text = members();
	cr_assert_not_null(strstr(text, "consul-1 did not answer: timed out"), "%s", text);
}
