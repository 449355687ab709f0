/* util/file.h */
#include <criterion/criterion.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/file.h"
#include "util/mem.h"

static char directory[64];

static void make_directory(void)
{
	snprintf(directory, sizeof(directory), "/tmp/unit-file-XXXXXX");
	cr_assert_not_null(mkdtemp(directory));
}

static void remove_directory(void)
{
	static const char *const names[] = { "a", "b", ".hidden", "link" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		_cleanup_free_ char *path = file_join(directory, names[i]);

		unlink(path);
	}
	_cleanup_free_ char *sub = file_join(directory, "sub");

	rmdir(sub);
	rmdir(directory);
}

static char *write_file(const char *name, const char *content)
{
	char *path = file_join(directory, name);
	FILE *file = fopen(path, "w");

	cr_assert_not_null(file);
	fputs(content, file);
	fclose(file);
	return path;
}

TestSuite(file, .init = make_directory, .fini = remove_directory);

Test(file, reads_a_whole_file)
{
	_cleanup_free_ char *path = write_file("a", "hello\n");
	_cleanup_err_ struct err err = ERR_INIT;
	_cleanup_buf_ struct buf text = BUF_INIT(100);

	cr_assert_eq(file_read(path, &text, &err), 0);
	cr_expect_str_eq(buf_text(&text), "hello\n");
}

Test(file, a_file_may_be_exactly_as_large_as_the_limit)
{
	_cleanup_free_ char *path = write_file("a", "12345"), *message = NULL;
	_cleanup_err_ struct err err = ERR_INIT;
	_cleanup_buf_ struct buf fits = BUF_INIT(5), small = { .max = 4, .secret = true };

	cr_expect_eq(file_read(path, &fits, &err), 0);
	cr_expect_eq(file_read(path, &small, &err), -1);
	message = xasprintf("read %s: larger than 4 bytes", path);
	cr_expect_str_eq(err.message, message);
	cr_expect_eq(err.kind, ERR_TOO_LARGE);
}

Test(file, says_why_not_in_kubectls_words)
{
	_cleanup_free_ char *expected = xasprintf("read %s: is a directory", directory);
	_cleanup_buf_ struct buf text = BUF_INIT(100);
	struct err err = ERR_INIT;

	cr_expect_eq(file_read("/nope", &text, &err), -1);
	cr_expect_str_eq(err.message, "open /nope: no such file or directory");
	cr_expect_eq(err.kind, ERR_CONFIG);
	err_release(&err);
	cr_expect_eq(file_stat("/nope\x1b", &err), -1);
	cr_expect_str_eq(err.message, "stat /nope^[: no such file or directory");
	err_release(&err);
	cr_expect_eq(file_read(directory, &text, &err), -1);
	cr_expect_str_eq(err.message, expected);
	err_release(&err);
}

Test(file, lists_regular_files_in_order)
{
	_cleanup_free_ char *b = write_file("b", ""), *a = write_file("a", ""), *hidden = write_file(".hidden", "");
	_cleanup_free_ char *sub = file_join(directory, "sub"), *link = file_join(directory, "link");
	_cleanup_strv_ struct strv names = STRV_INIT;
	_cleanup_err_ struct err err = ERR_INIT;
	_cleanup_free_ char *joined = NULL;

	cr_assert_eq(mkdir(sub, 0700), 0);
	cr_assert_eq(symlink("a", link), 0);
	cr_assert_eq(file_list(directory, &names, &err), 0);
	joined = strv_join(&names, " ", " ");
	cr_expect_str_eq(joined, "a b link");
	cr_expect(file_exists(a) && file_exists(b) && file_exists(hidden));
	cr_expect_not(file_exists(sub));
	cr_expect(file_is_directory(sub));
	cr_expect_not(file_is_directory(a));
	cr_expect_eq(file_list(a, &names, &err), -1);
	cr_expect(str_ends_with(err.message, "/a: not a directory"));
}

Test(file, paths_are_relative_to_the_file_they_stand_in)
{
	static const struct {
		const char *beside, *path, *meant;
	} rows[] = {
		{ "/etc/k/config", "ca.crt", "/etc/k/ca.crt" },
		{ "config", "ca.crt", "ca.crt" },
		{ "sub/config", "../ca.crt", "sub/../ca.crt" },
		{ "sub/config", "/ca.crt", "/ca.crt" },
		{ "/config", "ca.crt", "/ca.crt" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_free_ char *meant = file_beside(rows[i].beside, rows[i].path);

		cr_expect_str_eq(meant, rows[i].meant);
	}
}
