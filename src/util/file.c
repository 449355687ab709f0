/* See include/util/file.h. */
#include "util/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/mem.h"

#define CHUNK ((size_t)16 * 1024)

/* Go, and so kubectl, writes the system's reasons in lower case. */
static int fail(struct err *err, const char *operation, const char *path, int reason)
{
	_cleanup_free_ char *shown = str_visible(path, 0);
	_cleanup_free_ char *text = xstrdup(strerror(reason));

	if (*text >= 'A' && *text <= 'Z')
		*text = (char)(*text - 'A' + 'a');
	return err_set(err, ERR_CONFIG, "%s %s: %s", operation, shown, text);
}

static int read_all(int fd, const char *path, struct buf *out, struct err *err)
{
	char chunk[CHUNK];
	int result = 0;

	for (;;) {
		ssize_t count = read(fd, chunk, sizeof(chunk));

		if (count < 0 && errno == EINTR)
			continue;
		if (count < 0)
			result = fail(err, "read", path, errno);
		if (count <= 0)
			break;
		if (buf_add(out, chunk, (size_t)count) < 0) {
			_cleanup_free_ char *shown = str_visible(path, 0);

			result = err_set(err, ERR_TOO_LARGE, "read %s: larger than %zu bytes", shown, out->max);
			break;
		}
	}
	if (out->secret)
		mem_wipe(chunk, sizeof(chunk));
	return result;
}

int file_read(const char *path, struct buf *out, struct err *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	int result;

	if (fd < 0)
		return fail(err, "open", path, errno);
	result = read_all(fd, path, out, err);
	close(fd);
	return result;
}

int file_stat(const char *path, struct err *err)
{
	struct stat info;

	if (stat(path, &info) < 0)
		return fail(err, "stat", path, errno);
	return 0;
}

bool file_exists(const char *path)
{
	struct stat info;

	return stat(path, &info) == 0 && !S_ISDIR(info.st_mode);
}

bool file_is_directory(const char *path)
{
	struct stat info;

	return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

static bool is_regular(int directory, const char *name)
{
	struct stat info;

	return *name != '.' && fstatat(directory, name, &info, 0) == 0 && S_ISREG(info.st_mode);
}

int file_list(const char *directory, struct strv *names, struct err *err)
{
	DIR *stream = opendir(directory);
	const struct dirent *entry;
	size_t count = 0;
	int result = 0;

	if (!stream)
		return fail(err, "open", directory, errno);
	while ((entry = readdir(stream))) {
		if (!is_regular(dirfd(stream), entry->d_name))
			continue;
		if (++count > FILE_LIST_MAX) {
			_cleanup_free_ char *shown = str_visible(directory, 0);

			result = err_set(err, ERR_TOO_LARGE, "read %s: more than %zu files", shown, FILE_LIST_MAX);
			break;
		}
		strv_add(names, entry->d_name);
	}
	closedir(stream);
	strv_sort(names);
	return result;
}

char *file_join(const char *directory, const char *name)
{
	if (*name == '/' || !*directory)
		return xstrdup(name);
	return xasprintf(str_ends_with(directory, "/") ? "%s%s" : "%s/%s", directory, name);
}

char *file_beside(const char *beside, const char *path)
{
	const char *slash = strrchr(beside, '/');
	_cleanup_free_ char *directory = slash ? xstrndup(beside, (size_t)(slash - beside) + 1) : xstrdup("");

	return file_join(directory, path);
}
