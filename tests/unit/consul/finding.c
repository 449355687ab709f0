/* consul/finding.h: the table is complete, and its codes are what the documentation and scripts rely on. */
#include <criterion/criterion.h>

#include "consul/finding.h"
#include "util/mem.h"
#include "util/str.h"

Test(finding, every_row_is_complete_and_in_order)
{
	const struct finding_kind *before = NULL;
	size_t count = 0;

	for (const struct finding_kind *kind = finding_kinds; kind->code; kind++, count++) {
		cr_expect(str_starts_with(kind->code, "CON") && strlen(kind->code) == 6, "%s", kind->code);
		cr_expect(!before || strcmp(before->code, kind->code) < 0, "%s comes after %s", kind->code,
		          before ? before->code : "");
		cr_expect_eq(strspn(kind->name, "abcdefghijklmnopqrstuvwxyz-"), strlen(kind->name), "%s", kind->name);
		cr_expect(strlen(kind->title) > 10 && strlen(kind->title) < 70, "%s", kind->code);
		cr_expect(strlen(kind->explanation) > 100, "%s explains nothing", kind->code);
		cr_expect_null(strchr(kind->explanation, '\t'), "%s", kind->code);
		cr_expect_eq(finding_kind_find(kind->code), kind);
		cr_expect_eq(finding_kind_find(kind->name), kind);
		before = kind;
	}
	cr_expect_gt(count, 40);
}

Test(finding, is_found_in_any_case_or_not_at_all)
{
	cr_expect_str_eq(finding_kind_find("con401")->name, "quorum-lost");
	cr_expect_str_eq(finding_kind_find("Pod-Missing")->code, "CON101");
	cr_expect_null(finding_kind_find("CON000"));
	cr_expect_null(finding_kind_find(""));
	cr_expect_null(finding_kind_find(NULL));
}

/* Codes are never reused: these have been published. */
Test(finding, codes_stay_what_they_are)
{
	static const struct {
		const char *code, *name;
	} published[] = {
		{ "CON101", "pod-missing" },         { "CON107", "pod-crashing" },
		{ "CON109", "pod-not-ready" },       { "CON201", "agent-silent" },
		{ "CON204", "acl-denied" },          { "CON301", "member-failed" },
		{ "CON305", "leftover-failed" },     { "CON401", "quorum-lost" },
		{ "CON402", "no-leader" },           { "CON403", "leaders-disagree" },
		{ "CON408", "not-voter" },           { "CON501", "few-replicas" },
		{ "CON504", "budget-missing" },      { "CON507", "gossip-unencrypted" },
		{ "CON511", "certificate-expires" }, { "CON512", "rollout-unfinished" },
		{ "CON513", "certificate-expired" }, { "CON516", "rpc-unencrypted" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(published); i++)
		cr_expect_str_eq(finding_kind_find(published[i].code)->name, published[i].name);
	cr_expect_str_eq(severity_name(SEVERITY_CRITICAL), "critical");
	cr_expect_str_eq(severity_name(SEVERITY_INFO), "info");
}
