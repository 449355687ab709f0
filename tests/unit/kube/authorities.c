/* kube/authorities.h: which files are taken, in a root directory of its own. */
#include <criterion/criterion.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kube/authorities.h"
#include "util/mem.h"

#define DEBIAN    "etc/ssl/certs/ca-certificates.crt"
#define FEDORA    "etc/pki/tls/certs/ca-bundle.crt"
#define FREEBSD   "usr/local/etc/ssl/cert.pem"
#define DIRECTORY "etc/ssl/certs"

static char root[] = "/tmp/unit-authorities-XXXXXX";

static void make_root(void)
{
	cr_assert_not_null(mkdtemp(root));
	cr_assert_eq(chdir(root), 0);
}

static int remove_entry(const char *path, const struct stat *info, int kind, struct FTW *where)
{
	(void)info;
	(void)kind;
	(void)where;
	return remove(path);
}

static void remove_root(void)
{
	nftw(root, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

TestSuite(authorities, .init = make_root, .fini = remove_root);

/* A file with what looks like a certificate of that name, below the root; its directories are made. */
static void put(const char *path, const char *name)
{
	FILE *file;

	for (const char *slash = strchr(path, '/'); slash; slash = strchr(slash + 1, '/')) {
		_cleanup_free_ char *directory = xstrndup(path, (size_t)(slash - path));

		mkdir(directory, 0700);
	}
	file = fopen(path, "w");
	cr_assert_not_null(file);
	fprintf(file, *name ? "-----BEGIN CERTIFICATE-----\n%s" : "nothing", name);
	fclose(file);
}

static void expect(const char *env_file, const char *env_dir, const char *expected)
{
	const struct kube_authorities_inputs inputs = { .env_file = env_file, .env_dir = env_dir, .root = root };
	_cleanup_free_ char *pem = kube_authorities_read(&inputs);
	_cleanup_free_ char *names = xstrdup("");

	for (const char *at = pem; at && (at = strstr(at, "-----BEGIN CERTIFICATE-----\n"));) {
		at += strlen("-----BEGIN CERTIFICATE-----\n");
		replace_string(&names, xasprintf("%s%.*s ", names, (int)strcspn(at, "\n"), at));
	}
	cr_expect_str_eq(names, expected);
	cr_expect_eq(pem == NULL, *expected == '\0');
}

Test(authorities, none_is_no_error)
{
	const struct kube_authorities_inputs nowhere = { .root = NULL };

	expect(NULL, NULL, "");
	expect("/nonexistent", "/nonexistent:", "");
	cr_expect_null(kube_authorities_read(&nowhere));
}

Test(authorities, the_first_file_that_has_any)
{
	put(FREEBSD, "freebsd");
	expect(NULL, NULL, "freebsd ");
	put(FEDORA, "fedora");
	expect("", "", "fedora ");
	put(DEBIAN, "");
	expect(NULL, NULL, "fedora ");
	put(DEBIAN, "debian");
	expect(NULL, NULL, "debian ");
}

Test(authorities, directories_when_there_is_no_file)
{
	put(DIRECTORY "/b.0", "b");
	put(DIRECTORY "/a.pem", "a");
	put(DIRECTORY "/README", "");
	put("usr/local/share/certs/c.pem", "c");
	expect(NULL, NULL, "a b ");
	put(FREEBSD, "freebsd");
	expect(NULL, NULL, "freebsd ");
}

Test(authorities, the_environment_names_the_file)
{
	put(DEBIAN, "debian");
	put("mine.pem", "mine");
	expect("mine.pem", NULL, "mine ");
	/* As Go: then the directories are left. */
	expect("gone.pem", NULL, "debian ");
}

Test(authorities, the_environment_names_directories)
{
	put(DEBIAN, "debian");
	put("one/1", "one");
	put("two/2", "two");
	put("mine.pem", "mine");
	expect(NULL, "one:gone::two", "debian one two ");
	expect("mine.pem", "two", "mine two ");
}

Test(authorities, a_file_beyond_the_maximum_is_passed_over)
{
	put(DEBIAN, "debian");
	put(FEDORA, "fedora");
	cr_assert_eq(truncate(DEBIAN, (off_t)KUBE_AUTHORITIES_MAX), 0);
	expect(NULL, NULL, "fedora ");
}
