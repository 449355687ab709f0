/* Names of images, good ones and the slips people make. */
#include <criterion/criterion.h>

#include "consul/image_reference.h"
#include "util/mem.h"
#include "util/str.h"

#define HEX32 "0123456789abcdef0123456789abcdef"
#define HEX64 HEX32 HEX32

struct row {
	const char *image;
	const char *problem; /* part of the message; NULL: it is fine */
};

static const struct row rows[] = {
	{ "consul", NULL },
	{ "consul:1.8.7", NULL },
	{ "hashicorp/consul:1.21", NULL },
	{ "docker.io/hashicorp/consul:1.21.0-ent", NULL },
	{ "localhost/consul:1", NULL },
	{ "localhost:5000/consul:1", NULL },
	{ "registry:5000/a/b/c:v_1", NULL },
	{ "registry.example.com:443/hashicorp/consul@sha256:" HEX64, NULL },
	{ "hashicorp/consul:1.21@sha256:" HEX64, NULL },
	{ "hashicorp/consul@sha512+b64:" HEX32, NULL },
	{ "[2001:db8::1]:5000/consul:1", NULL },
	{ "[::1]/consul", NULL },
	{ "a--b/c__d/e_f.g:1", NULL },
	{ "Registry.Example/consul:1", NULL },
	{ "consul:_x", NULL },
	{ "", "there is none" },
	{ NULL, "there is none" },
	{ "hashi corp/consul", "space" },
	{ " consul", "space" },
	{ "consul:1.21\n", "space" },
	{ "Consul", "lower case" },
	{ "HashiCorp/consul", "lower case" },
	{ "example.com/Consul:1", "lower case" },
	{ "consul:", "the tag is missing" },
	{ "consul:1:2", "a tag takes" },
	{ "consul:.1", "a tag takes" },
	{ "consul:-1", "a tag takes" },
	{ "consul:1+2", "a tag takes" },
	{ "consul@", "no digest" },
	{ "consul@sha256", "no digest" },
	{ "consul@sha256:", "incomplete" },
	{ "consul@sha256:" HEX32, "incomplete" },
	{ "consul@sha256:" HEX64 "x", "incomplete" },
	{ "consul@1sha:" HEX64, "no digest" },
	{ "consul@sha-:" HEX64, "no digest" },
	{ ":1.21", "name of the image is missing" },
	{ "example.com/:1", "name of the image is missing" },
	{ "hashicorp//consul", "before or after a slash" },
	{ "/consul", "before or after a slash" },
	{ "hashicorp/consul/", "before or after a slash" },
	{ "-consul", "is no part of a name" },
	{ "consul_", "is no part of a name" },
	{ "con___sul", "is no part of a name" },
	{ "con..sul", "is no part of a name" },
	{ "con$ul", "is no part of a name" },
	{ "example.com:port/consul", "no port" },
	{ "example.com:/consul", "no port" },
	{ "example.com:123456/consul", "no port" },
	{ "-example.com/consul", "no name of a host" },
	{ "example-.com/consul", "no name of a host" },
	{ "example..com/consul", "no name of a host" },
	{ "https://example.com/consul", "no port" },
	{ HEX64, "id of an image" },
};

Test(image_reference, good_and_bad)
{
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct err err = ERR_INIT;
		int status = image_reference_check(rows[i].image, &err);
		const char *shown = rows[i].image ? rows[i].image : "(none)";

		cr_expect_eq(status, rows[i].problem ? -1 : 0, "%s: %s", shown, err.message);
		if (status < 0 && rows[i].problem) {
			cr_expect_eq(err.kind, ERR_INVALID);
			cr_expect(strstr(err.message, rows[i].problem), "%s: %s", shown, err.message);
		}
		err_release(&err);
	}
}

Test(image_reference, lengths)
{
	char path[300], tag[200];
	struct err err = ERR_INIT;

	memset(path, 'a', sizeof(path));
	path[255] = '\0';
	cr_assert_eq(image_reference_check(path, &err), 0, "%s", err.message);
	path[255] = 'a';
	path[256] = '\0';
	cr_assert_eq(image_reference_check(path, &err), -1);
	err_release(&err);
	memset(tag, '1', sizeof(tag));
	memcpy(tag, "a:", 2);
	tag[2 + 128] = '\0';
	cr_assert_eq(image_reference_check(tag, &err), 0, "%s", err.message);
	tag[2 + 128] = '1';
	tag[2 + 129] = '\0';
	cr_assert_eq(image_reference_check(tag, &err), -1);
	err_release(&err);
}

Test(image_reference, which_version_runs)
{
	_cleanup_free_ char *tag = image_reference_tag("registry:5000/consul:1.21.3@sha256:" HEX64);
	_cleanup_free_ char *none = image_reference_tag("registry:5000/consul");

	cr_assert_str_eq(tag, "1.21.3");
	cr_assert_null(none);
	cr_assert(image_reference_floats("registry:5000/consul"));
	cr_assert(image_reference_floats("consul:latest"));
	cr_assert_not(image_reference_floats("consul:latest-1"));
	cr_assert_not(image_reference_floats("consul:1.21"));
	cr_assert_not(image_reference_floats("consul:latest@sha256:" HEX64));
}
